/* The client of the echo measurements: keeps `DEPTH` requests in flight on each connection, and measures the server's
 * CPU time over the window.
 *
 * usage: load PORT CONNECTIONS SIZE DEPTH SECS WARM_UP_SECS SERVER_PID
 *
 * It checks that the server echoes before it begins. It runs on one io_uring (multishot receives, a buffer ring,
 * registered files), so that it is not what limits. A server pid of 0 measures no CPU time.
 *
 * prints: rps p50 p99 p999 (microseconds), requests (in the window), total (warm-up included), server_cpu_per_m,
 *         client_cpu_per_m (seconds per million requests)
 */
#include "buffer_ring.h"
#include "histogram.h"
#include <sys/resource.h>
#include <sys/time.h>

#define CONNECT_TRIES 500
#define CONNECT_PAUSE_US 10000
#define VERIFY_BYTES 65536
#define MAX_STALLS 3

struct connection {
    uint32_t partial;    /* bytes of an answer that is not whole yet */
    uint32_t owed;       /* requests that wait for the send before them */
    int sending;         /* only with a depth above 1 */
    uint64_t *sent_ns;   /* a queue of `depth` times */
    uint32_t oldest, next;
};

static struct io_uring ring;
static struct buffers buffers;
static struct connection *connections;
static int count;
static uint32_t size, depth;
static char *message; /* `depth` requests in a row */

static int measuring;
static uint64_t measured, total;
static struct histogram latency;

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static struct io_uring_sqe *submission(void)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

#define IS_SEND (1ull << 32)

static void arm_receive(int index, int first)
{
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_recv_multishot(sqe, index, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    if (first)
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data64(sqe, index);
}

static void send_requests(int index, uint32_t requests, uint64_t now)
{
    struct connection *connection = &connections[index];
    for (uint32_t i = 0; i < requests; i++) {
        connection->sent_ns[connection->next] = now;
        connection->next = (connection->next + 1) % depth;
    }
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_send(sqe, index, message, (size_t)requests * size, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    /* At depth 1 the answer says that the send is over. */
    if (depth == 1)
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    else
        connection->sending = 1;
    io_uring_sqe_set_data64(sqe, IS_SEND | (uint32_t)index);
}

static void send_completed(int index, int result, uint64_t now)
{
    if (result < 0)
        die("send", -result);
    struct connection *connection = &connections[index];
    connection->sending = 0;
    if (connection->owed) {
        uint32_t requests = connection->owed;
        connection->owed = 0;
        send_requests(index, requests, now);
    }
}

static void answered(struct connection *connection, uint32_t answers, uint64_t now)
{
    total += answers;
    if (measuring)
        measured += answers;
    for (uint32_t i = 0; i < answers; i++) {
        if (measuring)
            histogram_record(&latency, now - connection->sent_ns[connection->oldest]);
        connection->oldest = (connection->oldest + 1) % depth;
    }
}

static void receive_completed(int index, struct io_uring_cqe *cqe, uint64_t now)
{
    struct connection *connection = &connections[index];
    if (cqe->res == -ENOBUFS) {
        arm_receive(index, 0);
        return;
    }
    if (cqe->res <= 0) {
        fprintf(stderr, "connection %d: %s\n", index, cqe->res ? strerror(-cqe->res) : "closed by the server");
        exit(1);
    }
    buffer_give_back(&buffers, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    connection->partial += cqe->res;
    uint32_t answers = connection->partial / size;
    connection->partial -= answers * size;
    if (answers) {
        answered(connection, answers, now);
        if (connection->sending)
            connection->owed += answers;
        else
            send_requests(index, answers, now);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm_receive(index, 0);
}

/* Gives the time at which the completions were looked at. */
static uint64_t turn(void)
{
    static int stalls;
    struct __kernel_timespec second = {.tv_sec = 1};
    struct io_uring_cqe *cqe;
    int error = io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &second, NULL);
    uint64_t now = now_ns();
    if (error == -ETIME && ++stalls > MAX_STALLS) {
        fprintf(stderr, "the server answers nothing\n");
        exit(1);
    }
    if (error < 0 && error != -ETIME && error != -EINTR)
        die("enter", -error);

    unsigned head, seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe)
    {
        int index = (uint32_t)cqe->user_data;
        seen++;
        if (cqe->user_data & IS_SEND)
            send_completed(index, cqe->res, now);
        else
            receive_completed(index, cqe, now);
    }
    io_uring_cq_advance(&ring, seen);
    buffers_advance(&buffers);
    return now;
}

/* The server may not listen yet. */
static int connect_to(int port)
{
    struct sockaddr_in address = loopback(port);
    for (int tries = 0; tries < CONNECT_TRIES; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            die("socket", errno);
        if (!connect(fd, (struct sockaddr *)&address, sizeof address)) {
            int on = 1;
            struct timeval patience = {.tv_sec = 5};
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            return fd;
        }
        if (errno != ECONNREFUSED)
            die("connect", errno);
        close(fd);
        usleep(CONNECT_PAUSE_US);
    }
    die("connect", ECONNREFUSED);
    return -1;
}

/* Each connection must give back its own bytes, as many as it will have in flight. */
static void verify(int fd, int index)
{
    size_t length = (size_t)size * depth;
    if (length > VERIFY_BYTES)
        length = VERIFY_BYTES;
    message[0] = (char)index;
    message[1 % size] = (char)(index >> 8);
    static char answer[VERIFY_BYTES];
    if (send(fd, message, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("send", errno);
    for (size_t have = 0; have < length;) {
        ssize_t received = recv(fd, answer + have, length - have, 0);
        if (received <= 0) {
            fprintf(stderr, "connection %d: got back %zu of %zu bytes\n", index, have, length);
            exit(1);
        }
        have += received;
    }
    if (memcmp(answer, message, length)) {
        fprintf(stderr, "connection %d: got back other bytes\n", index);
        exit(1);
    }
}

static void set_up_ring(const int *fds)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = 16384,
    };
    int error = io_uring_queue_init_params(4096, &ring, &params);
    if (error)
        die("set up a ring", -error);
    io_uring_register_ring_fd(&ring);
    error = io_uring_register_files(&ring, fds, count);
    if (error)
        die("register files", -error);

    uint32_t bytes = size * depth;
    uint32_t buffer_size = bytes < 2048 ? 2048 : bytes > 16384 ? 16384 : bytes;
    uint32_t wanted = 256;
    while (wanted < 2u * count && wanted < 4096)
        wanted *= 2;
    buffers = buffers_new(&ring, wanted, buffer_size);
}

static void set_up_connections(int port)
{
    struct rlimit files = {20000, 20000};
    setrlimit(RLIMIT_NOFILE, &files);
    message = malloc((size_t)size * depth);
    for (size_t i = 0; i < (size_t)size * depth; i++)
        message[i] = (char)(i * 31 + 7);
    connections = calloc(count, sizeof *connections);
    int *fds = malloc(count * sizeof *fds);
    for (int i = 0; i < count; i++) {
        fds[i] = connect_to(port);
        connections[i].sent_ns = malloc(depth * sizeof(uint64_t));
    }
    for (int i = 0; i < count; i++)
        verify(fds[i], i);
    set_up_ring(fds);
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SIZE DEPTH SECS WARM_UP_SECS SERVER_PID\n");
        return 2;
    }
    count = atoi(argv[2]);
    size = atoi(argv[3]);
    depth = atoi(argv[4]);
    double secs = atof(argv[5]), warm_up = atof(argv[6]);
    pid_t server = atoi(argv[7]);
    set_up_connections(atoi(argv[1]));

    clockid_t server_clock = 0;
    int has_clock = server > 0 && !clock_getcpuclockid(server, &server_clock);

    uint64_t begin = now_ns();
    for (int i = 0; i < count; i++)
        arm_receive(i, 1);
    for (int i = 0; i < count; i++)
        send_requests(i, depth, begin);

    uint64_t now, warm = begin + (uint64_t)(warm_up * 1e9);
    while ((now = turn()) < warm)
        ;
    measuring = 1;
    begin = now;
    uint64_t end = begin + (uint64_t)(secs * 1e9);
    double server_cpu = has_clock ? seconds(server_clock) : 0, client_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    while ((now = turn()) < end)
        ;
    server_cpu = (has_clock ? seconds(server_clock) : 0) - server_cpu;
    client_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - client_cpu;

    double per_million = measured ? 1e6 / measured : 0;
    printf("rps=%.0f p50=%.2f p99=%.2f p999=%.2f requests=%llu total=%llu server_cpu_per_m=%.4f "
           "client_cpu_per_m=%.4f\n",
           measured / ((now - begin) * 1e-9), histogram_quantile(&latency, 0.5) / 1e3,
           histogram_quantile(&latency, 0.99) / 1e3, histogram_quantile(&latency, 0.999) / 1e3,
           (unsigned long long)measured, (unsigned long long)total, server_cpu * per_million,
           client_cpu * per_million);
    return 0;
}
