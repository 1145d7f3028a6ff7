/* Random 4 KiB reads with pread(2), one thread for each read in flight.
 *
 * usage: fread_pread PATH buffered|direct DEPTH SECS
 */
#include "common.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define MAX_DEPTH 256
#define WARM_UP_US 100000

/* One to a cache line: the threads must not share one. */
struct counter {
    _Alignas(64) atomic_uint_fast64_t reads;
};

static int fd;
static uint64_t pages;
static struct counter counters[MAX_DEPTH];

static void *reader(void *argument)
{
    struct counter *counter = argument;
    uint64_t state = 0x9E3779B97F4A7C15ull * (counter - counters + 1);
    char *buffer = zeroed_pages(PAGE);
    for (;;) {
        uint64_t page = random_page(&state, pages);
        check_page(buffer, pread(fd, buffer, PAGE, page * PAGE), page);
        atomic_store_explicit(&counter->reads, counter->reads + 1, memory_order_relaxed);
    }
    return NULL;
}

static uint64_t total(int depth)
{
    uint64_t reads = 0;
    for (int i = 0; i < depth; i++)
        reads += counters[i].reads;
    return reads;
}

int main(int argc, char **argv)
{
    int depth = argc == 5 ? atoi(argv[3]) : 0;
    if (depth < 1 || depth > MAX_DEPTH) {
        fprintf(stderr, "usage: fread_pread PATH buffered|direct DEPTH SECS   (depth up to %d)\n", MAX_DEPTH);
        return 2;
    }
    fd = open(argv[1], O_RDONLY | (strcmp(argv[2], "direct") ? 0 : O_DIRECT));
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat))
        die(argv[1], errno);
    pages = stat.st_size / PAGE;
    for (int i = 0; i < depth; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, reader, &counters[i]);
        if (error)
            die("start a thread", error);
    }

    usleep(WARM_UP_US);
    uint64_t before = total(depth);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    usleep((useconds_t)(atof(argv[4]) * 1e6));
    uint64_t reads = total(depth) - before;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("iops=%.0f cpu_per_m=%.4f allocs=0\n", reads / wall, cpu * 1e6 / reads);
    fflush(stdout);
    _exit(0); /* the threads never end */
}
