/* What the C programs share: clocks, a listener, a buffer ring, random pages. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static inline void die(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    exit(1);
}

static inline double seconds(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time))
        return -1;
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static inline struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
}

/* Listens on 127.0.0.1 with TCP_NODELAY, which accepted sockets inherit. */
static inline int listen_on(int port, int flags)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = loopback(port);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        die("listen", errno);
    return listener;
}

static inline void *zeroed_pages(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        die("mmap", errno);
    return memory;
}

/* A xorshift64* generator, the same one as the Rust programs have. */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545F4914F6CDD1Dull;
}

static inline uint64_t random_page(uint64_t *state, uint64_t pages)
{
    return ((unsigned __int128)random_next(state) * pages) >> 64;
}

/* The first eight bytes of each page of the data file hold its number. */
static inline void check_page(const void *bytes, int64_t read, uint64_t page)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    if (read != PAGE || number != page) {
        fprintf(stderr, "read %lld bytes of page %llu, wanted page %llu\n", (long long)read,
                (unsigned long long)number, (unsigned long long)page);
        exit(4);
    }
}
