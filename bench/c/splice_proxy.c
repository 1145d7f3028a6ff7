/*
 * The floor of a TCP proxy: two threads for each connection, one a direction, each with a pipe of its own through which it
 * moves what comes by splice(2), on sockets that block.
 *
 *   splice_proxy PORT TARGET_PORT [copy]
 *
 * `copy`: through a buffer of 256 KiB instead, by recv(2) and send(2).
 */
#include "common.h"
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define PIPE_BYTES (1024 * 1024)
#define BUFFER_BYTES (256 * 1024)

static int copies;

struct way {
    int from, to;
};

static void by_pipe(struct way way)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        die("pipe2", errno);
    /* What the system refuses leaves the pipe smaller. */
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    ssize_t held;
    while ((held = splice(way.from, NULL, ends[1], NULL, PIPE_BYTES, SPLICE_F_MOVE)) > 0) {
        while (held > 0) {
            ssize_t given = splice(ends[0], NULL, way.to, NULL, held, SPLICE_F_MOVE);
            if (given <= 0)
                die("splice to the socket", errno);
            held -= given;
        }
    }
    close(ends[0]);
    close(ends[1]);
}

static void by_buffer(struct way way)
{
    char *buffer = zeroed_pages(BUFFER_BYTES);
    ssize_t received;
    while ((received = recv(way.from, buffer, BUFFER_BYTES, 0)) > 0)
        for (ssize_t sent = 0, n; sent < received; sent += n)
            if ((n = send(way.to, buffer + sent, received - sent, MSG_NOSIGNAL)) <= 0)
                die("send", errno);
    munmap(buffer, BUFFER_BYTES);
}

static void *move(void *argument)
{
    struct way way = *(struct way *)argument;
    free(argument);
    if (copies)
        by_buffer(way);
    else
        by_pipe(way);
    shutdown(way.to, SHUT_WR);
    return NULL;
}

static void start(int from, int to)
{
    struct way *way = malloc(sizeof *way);
    *way = (struct way){from, to};
    pthread_t thread;
    if (pthread_create(&thread, NULL, move, way))
        die("pthread_create", errno);
    pthread_detach(thread);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    copies = argc > 3 && !strcmp(argv[3], "copy");
    int listener = listen_on(atoi(argv[1]), 0);
    struct sockaddr_in target = loopback(atoi(argv[2]));
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (client < 0 || connect(server, (struct sockaddr *)&target, sizeof target))
            die("no connection", errno);
        start(client, server);
        start(server, client);
    }
}
