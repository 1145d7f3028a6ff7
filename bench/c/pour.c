/*
 * The client of the proxy measurements, both ends of it: sends so many bytes to the proxy, takes them at the target's port,
 * and looks at a word of each page.
 *
 *   pour TARGET_PORT PROXY_PORT BYTES PROXY_PID
 *
 * Prints the rate and the CPU seconds of the proxy's process (all threads) for each GiB.
 */
#include "common.h"
#include <pthread.h>

#define PIECE (256 * 1024)
#define GIB (1024.0 * 1024 * 1024)

struct source {
    int fd;
    uint64_t total;
};

/* The first word of each page is its place in the stream. */
static void *pour(void *argument)
{
    struct source *source = argument;
    uint64_t *piece = zeroed_pages(PIECE);
    for (uint64_t at = 0; at < source->total;) {
        size_t len = source->total - at < PIECE ? source->total - at : PIECE;
        for (size_t page = 0; page < len / PAGE; page++)
            piece[page * PAGE / sizeof *piece] = at + page * PAGE;
        for (size_t sent = 0; sent < len;) {
            ssize_t n = send(source->fd, (char *)piece + sent, len - sent, MSG_NOSIGNAL);
            if (n <= 0)
                die("send", errno);
            sent += n;
        }
        at += len;
    }
    shutdown(source->fd, SHUT_WR);
    return NULL;
}

static int connect_to(int port)
{
    struct sockaddr_in address = loopback(port);
    for (int tries = 0; tries < 500; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (!connect(fd, (struct sockaddr *)&address, sizeof address))
            return fd;
        close(fd);
        usleep(10 * 1000);
    }
    die("connect", errno);
    return -1;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    struct source source = {.total = strtoull(argv[3], NULL, 10)};
    clockid_t proxy;
    if (clock_getcpuclockid(atoi(argv[4]), &proxy))
        die("the proxy's clock", errno);
    int listener = listen_on(atoi(argv[1]), 0);
    source.fd = connect_to(atoi(argv[2]));
    int sink = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct timeval limit = {.tv_sec = 20};
    setsockopt(sink, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);

    double begin = seconds(CLOCK_MONOTONIC), cpu = seconds(proxy);
    pthread_t thread;
    if (pthread_create(&thread, NULL, pour, &source))
        die("pthread_create", errno);
    char *piece = zeroed_pages(PIECE);
    uint64_t got = 0, wrong = 0;
    ssize_t n;
    while ((n = recv(sink, piece, PIECE, 0)) > 0) {
        uint64_t page = (got + PAGE - 1) / PAGE * PAGE, word;
        if (page + sizeof word <= got + n) {
            memcpy(&word, piece + (page - got), sizeof word);
            wrong += word != page;
        }
        got += n;
    }
    if (n < 0 || got != source.total || wrong) {
        fprintf(stderr, "got %llu bytes, %llu pages of them wrong\n", (unsigned long long)got,
                (unsigned long long)wrong);
        return 4;
    }
    cpu = seconds(proxy) - cpu;
    double took = seconds(CLOCK_MONOTONIC) - begin, gib = got / GIB;
    printf("gib_per_s=%.3f cpu_per_gib=%.4f\n", gib / took, cpu / gib);
    return 0;
}
