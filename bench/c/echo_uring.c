/* Echo server on one io_uring: the floor of the echo measurements.
 *
 * usage: echo_uring PORT multi|multi-4096|gather|bundle|oneshot|link
 *
 * multi    multishot accept and receive with a buffer ring; several messages of a connection wait for their send
 * multi-4096   the same with a ring of 4,096 buffers instead of 512: 64 MiB that are gone through in a circle, which
 *          large messages pay for in the cache
 * gather   multi, and the messages of a connection that wait for its send go out with one sendmsg
 * bundle   gather, with receives that may fill several buffers for one completion (Linux 6.10)
 * oneshot  one receive and one send for each round, from and to a buffer of the connection: what an interface with
 *          owned buffers can do at best
 * link     oneshot with the send linked to the next receive: one completion and, for a single connection, one
 *          system call for each round
 *
 * In all of them: direct descriptors, SINGLE_ISSUER and DEFER_TASKRUN, all sends of a turn in one submission.
 */
#include "buffer_ring.h"
#include <sys/uio.h>

#ifndef IORING_RECVSEND_BUNDLE /* Debian 12's liburing is older. */
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif

#define MAX_CONNECTIONS 4096
#define SUBMISSIONS 4096
#define COMPLETIONS 16384
#define BUFFER_SIZE 16384
#define RING_BUFFERS 512
#define MAX_RING_BUFFERS 4096
#define MOST_TOGETHER 16
#define NONE -1

enum mode { MULTI, ONESHOT, LINK };
enum operation { ACCEPT = 1, RECEIVE, SEND, CLOSE };

/* A received buffer that waits for the send before it. The buffer's number is the place in `waiting`. */
struct message {
    int length;
    int next;
};

struct connection {
    int first, last; /* messages that wait, by buffer number, or NONE */
    int open, sending, closing;
    struct iovec parts[MOST_TOGETHER]; /* what is being sent, in these buffers */
    int part_buffers[MOST_TOGETHER];
    struct msghdr header;
    char *buffer; /* oneshot and link; kept for the slot's next connection */
};

static enum mode mode;
static struct io_uring ring;
static struct buffers buffers;
static int listener;
static struct connection connections[MAX_CONNECTIONS];
static struct message waiting[MAX_RING_BUFFERS];
static unsigned ring_buffers = RING_BUFFERS;
static int most_together = 1;
static int bundles;

/* Slots whose multishot receive ended and is to be armed again, once buffers have been given back. */
static int rearm[COMPLETIONS];
static int rearm_count;

static struct io_uring_sqe *submission(void)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

/* user_data: the operation, the connection's slot. */
static uint64_t tag(enum operation operation, int slot)
{
    return (uint64_t)operation << 48 | (uint32_t)slot;
}

static void arm_accept(void)
{
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    io_uring_sqe_set_data64(sqe, tag(ACCEPT, 0));
}

static void arm_multishot(int slot, int first)
{
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_recv_multishot(sqe, slot, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    if (bundles)
        sqe->ioprio |= IORING_RECVSEND_BUNDLE;
    if (first)
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data64(sqe, tag(RECEIVE, slot));
}

/* The peer has just been answered or has just connected: nothing is there yet, so poll first. */
static void arm_oneshot(int slot)
{
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_recv(sqe, slot, connections[slot].buffer, BUFFER_SIZE, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data64(sqe, tag(RECEIVE, slot));
}

static struct io_uring_sqe *send_bytes(int slot, char *bytes, int length)
{
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_send(sqe, slot, bytes, length, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, tag(SEND, slot));
    return sqe;
}

static void close_slot(int slot)
{
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_close_direct(sqe, slot);
    io_uring_sqe_set_data64(sqe, tag(CLOSE, slot));
    connections[slot].open = 0;
}

/* ---- multi ---- */

static void enqueue(struct connection *connection, int buffer, int length)
{
    waiting[buffer] = (struct message){.length = length, .next = NONE};
    if (connection->last == NONE)
        connection->first = buffer;
    else
        waiting[connection->last].next = buffer;
    connection->last = buffer;
}

static int dequeue(struct connection *connection)
{
    int buffer = connection->first;
    connection->first = waiting[buffer].next;
    if (connection->first == NONE)
        connection->last = NONE;
    return buffer;
}

/* Sends what waits, as much as goes together. */
static void send_waiting(int slot)
{
    struct connection *connection = &connections[slot];
    int count = 0;
    while (count < most_together && connection->first != NONE) {
        int buffer = dequeue(connection);
        connection->part_buffers[count] = buffer;
        connection->parts[count++] = (struct iovec){buffer_at(&buffers, buffer), waiting[buffer].length};
    }
    connection->sending = count;
    if (count == 1) {
        send_bytes(slot, connection->parts[0].iov_base, connection->parts[0].iov_len);
        return;
    }
    connection->header = (struct msghdr){.msg_iov = connection->parts, .msg_iovlen = count};
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_sendmsg(sqe, slot, &connection->header, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, tag(SEND, slot));
}

static void received_multi(int slot, struct io_uring_cqe *cqe)
{
    struct connection *connection = &connections[slot];
    if (cqe->res > 0) {
        int buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        for (int left = cqe->res; left > 0; left -= BUFFER_SIZE) {
            enqueue(connection, buffer, left < BUFFER_SIZE ? left : BUFFER_SIZE);
            buffer = buffer_behind(&buffers, buffer);
        }
        if (!connection->sending)
            send_waiting(slot);
        if (!(cqe->flags & IORING_CQE_F_MORE))
            rearm[rearm_count++] = slot;
    } else if (cqe->res == -ENOBUFS) {
        rearm[rearm_count++] = slot;
    } else {
        connection->closing = 1;
        if (!connection->sending)
            close_slot(slot);
    }
}

static void sent_multi(int slot, struct io_uring_cqe *cqe)
{
    struct connection *connection = &connections[slot];
    for (int i = 0; i < connection->sending; i++)
        buffer_give_back(&buffers, connection->part_buffers[i]);
    connection->sending = 0;
    if (cqe->res < 0) {
        connection->closing = 1;
        while (connection->first != NONE)
            buffer_give_back(&buffers, dequeue(connection));
    }
    if (connection->first != NONE) {
        send_waiting(slot);
    } else if (connection->closing && connection->open) {
        close_slot(slot);
    }
}

/* ---- oneshot and link ---- */

static void received_oneshot(int slot, int received)
{
    struct connection *connection = &connections[slot];
    if (received <= 0) {
        if (connection->open)
            close_slot(slot);
        return;
    }
    if (mode == ONESHOT) {
        send_bytes(slot, connection->buffer, received);
        return;
    }
    /* A chain that is split over two submissions is no chain. */
    if (io_uring_sq_space_left(&ring) < 2)
        io_uring_submit(&ring);
    send_bytes(slot, connection->buffer, received)->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
    arm_oneshot(slot);
}

static void sent_oneshot(int slot, int sent)
{
    if (mode == LINK)
        return; /* an error: the receive after it is cancelled, and closes */
    if (sent > 0)
        arm_oneshot(slot);
    else
        close_slot(slot);
}

/* ---- all ---- */

static void accepted(struct io_uring_cqe *cqe)
{
    int slot = cqe->res;
    if (slot < 0) {
        fprintf(stderr, "accept: %s\n", strerror(-slot));
    } else {
        char *buffer = connections[slot].buffer;
        connections[slot] = (struct connection){.first = NONE, .last = NONE, .open = 1, .buffer = buffer};
        if (mode == MULTI) {
            arm_multishot(slot, 1);
        } else {
            if (!buffer)
                connections[slot].buffer = aligned_alloc(PAGE, BUFFER_SIZE);
            arm_oneshot(slot);
        }
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm_accept();
}

static void completed(struct io_uring_cqe *cqe)
{
    int slot = (uint32_t)cqe->user_data;
    switch ((enum operation)(cqe->user_data >> 48)) {
    case ACCEPT:
        accepted(cqe);
        break;
    case RECEIVE:
        if (mode == MULTI)
            received_multi(slot, cqe);
        else
            received_oneshot(slot, cqe->res);
        break;
    case SEND:
        if (mode == MULTI)
            sent_multi(slot, cqe);
        else
            sent_oneshot(slot, cqe->res);
        break;
    case CLOSE:
        break;
    }
}

static void turn(void)
{
    int error = io_uring_submit_and_wait(&ring, 1);
    if (error < 0 && error != -EINTR && error != -EBUSY)
        die("enter", -error);

    unsigned head, seen = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&ring, head, cqe)
    {
        seen++;
        completed(cqe);
    }
    io_uring_cq_advance(&ring, seen);

    if (mode == MULTI)
        buffers_advance(&buffers);
    for (int i = 0; i < rearm_count; i++) {
        struct connection *connection = &connections[rearm[i]];
        if (connection->open && !connection->closing)
            arm_multishot(rearm[i], 0);
    }
    rearm_count = 0;
}

static void set_up_ring(void)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_SUBMIT_ALL,
        .cq_entries = COMPLETIONS,
    };
    int error = io_uring_queue_init_params(SUBMISSIONS, &ring, &params);
    if (error)
        die("set up a ring", -error);
    io_uring_register_ring_fd(&ring);
    error = io_uring_register_files_sparse(&ring, MAX_CONNECTIONS);
    if (error)
        die("register files", -error);
    if (mode == MULTI)
        buffers = buffers_new(&ring, ring_buffers, BUFFER_SIZE);
}

int main(int argc, char **argv)
{
    const char *name = argc == 3 ? argv[2] : "";
    if (!strcmp(name, "multi"))
        mode = MULTI;
    else if (!strcmp(name, "multi-4096")) {
        mode = MULTI;
        ring_buffers = MAX_RING_BUFFERS;
    } else if (!strcmp(name, "gather") || !strcmp(name, "bundle")) {
        mode = MULTI;
        most_together = MOST_TOGETHER;
        bundles = name[0] == 'b';
    } else if (!strcmp(name, "oneshot"))
        mode = ONESHOT;
    else if (!strcmp(name, "link"))
        mode = LINK;
    else {
        fprintf(stderr, "usage: echo_uring PORT multi|multi-4096|gather|bundle|oneshot|link\n");
        return 2;
    }
    listener = listen_on(atoi(argv[1]), 0);
    set_up_ring();
    arm_accept();
    for (;;)
        turn();
}
