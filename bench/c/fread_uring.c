/* Random 4 KiB reads on one io_uring: the floor of the file measurements.
 *
 * usage: fread_uring PATH buffered|direct DEPTH SECS fixed|plain|number
 *
 * The file is registered, unless it is named by its `number`; with `fixed` the buffers are registered, too.
 */
#include "common.h"
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>

#define MAX_DEPTH 256
#define WARM_UP 0.1

static struct io_uring ring;
static char *buffers;
static int fixed, by_number, file; /* the place of the file in the table, or its number */
static uint64_t pages, random_state = 0x9E3779B97F4A7C15ull;
static uint64_t wanted[MAX_DEPTH]; /* the page that each buffer waits for */

static void submit_read(int buffer)
{
    uint64_t page = random_page(&random_state, pages);
    char *into = buffers + buffer * PAGE;
    wanted[buffer] = page;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (fixed)
        io_uring_prep_read_fixed(sqe, file, into, PAGE, page * PAGE, buffer);
    else
        io_uring_prep_read(sqe, file, into, PAGE, page * PAGE);
    if (!by_number)
        sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, buffer);
}

/* Gives the number of reads that came back; each is asked for again. */
static unsigned turn(void)
{
    int error = io_uring_submit_and_wait(&ring, 1);
    if (error < 0 && error != -EINTR)
        die("enter", -error);
    unsigned head, seen = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&ring, head, cqe)
    {
        int buffer = cqe->user_data;
        check_page(buffers + buffer * PAGE, cqe->res, wanted[buffer]);
        submit_read(buffer);
        seen++;
    }
    io_uring_cq_advance(&ring, seen);
    return seen;
}

/* Reads for this long. The clock is looked at once in 32 reads. */
static uint64_t read_for(double duration)
{
    double end = seconds(CLOCK_MONOTONIC) + duration;
    uint64_t reads = 0, next_look = 0;
    for (;;) {
        reads += turn();
        if (reads < next_look)
            continue;
        if (seconds(CLOCK_MONOTONIC) >= end)
            return reads;
        next_look = reads + 32;
    }
}

static void set_up(int fd, int depth)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(MAX_DEPTH, &ring, &params);
    if (error)
        die("set up a ring", -error);
    io_uring_register_ring_fd(&ring);
    if (by_number)
        file = fd;
    else if ((error = io_uring_register_files(&ring, &fd, 1)))
        die("register the file", -error);

    buffers = zeroed_pages((size_t)depth * PAGE);
    if (!fixed)
        return;
    struct iovec each[MAX_DEPTH];
    for (int i = 0; i < depth; i++)
        each[i] = (struct iovec){buffers + i * PAGE, PAGE};
    error = io_uring_register_buffers(&ring, each, depth);
    if (error)
        die("register buffers", -error);
}

int main(int argc, char **argv)
{
    int depth = argc == 6 ? atoi(argv[3]) : 0;
    if (depth < 1 || depth > MAX_DEPTH) {
        fprintf(stderr, "usage: fread_uring PATH buffered|direct DEPTH SECS fixed|plain|number   (depth up to %d)\n", MAX_DEPTH);
        return 2;
    }
    fixed = !strcmp(argv[5], "fixed");
    by_number = !strcmp(argv[5], "number");
    int fd = open(argv[1], O_RDONLY | (strcmp(argv[2], "direct") ? 0 : O_DIRECT));
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat))
        die(argv[1], errno);
    pages = stat.st_size / PAGE;
    set_up(fd, depth);

    for (int i = 0; i < depth; i++)
        submit_read(i);
    read_for(WARM_UP);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t reads = read_for(atof(argv[4]));
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("iops=%.0f cpu_per_m=%.4f allocs=0\n", reads / wall, cpu * 1e6 / reads);
    return 0;
}
