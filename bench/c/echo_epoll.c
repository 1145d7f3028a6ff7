/* Echo server on epoll, level triggered: one recv and one send for an event.
 *
 * usage: echo_epoll PORT
 */
#include "common.h"
#include <sys/epoll.h>

#define EVENTS 1024

struct connection {
    int fd;
    char *unsent; /* what the socket would not take yet: offset, length */
    size_t offset, length;
};

static char buffer[16384];
static int poll_fd;

static void watch(int operation, int fd, uint32_t events, struct connection *connection)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poll_fd, operation, fd, &event))
        die("epoll_ctl", errno);
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        connection->fd = fd;
        watch(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
    }
    if (errno != EAGAIN)
        die("accept", errno);
}

static void keep_unsent(struct connection *connection, const char *from, size_t length)
{
    if (!connection->unsent)
        connection->unsent = malloc(sizeof buffer);
    memcpy(connection->unsent, from, length);
    connection->offset = 0;
    connection->length = length;
    watch(EPOLL_CTL_MOD, connection->fd, EPOLLOUT, connection);
}

/* Each gives 0, or -1 when the connection is at its end. */
static int send_unsent(struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->unsent + connection->offset, connection->length, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    connection->offset += sent;
    connection->length -= sent;
    if (!connection->length)
        watch(EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
    return 0;
}

static int echo_once(struct connection *connection)
{
    ssize_t received = recv(connection->fd, buffer, sizeof buffer, 0);
    if (received < 0)
        return errno == EAGAIN ? 0 : -1;
    if (received == 0)
        return -1;
    ssize_t sent = send(connection->fd, buffer, received, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            return -1;
        sent = 0;
    }
    if (sent < received)
        keep_unsent(connection, buffer + sent, received - sent);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: echo_epoll PORT\n");
        return 2;
    }
    int listener = listen_on(atoi(argv[1]), SOCK_NONBLOCK);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);

    static struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) {
                accept_all(listener);
                continue;
            }
            if ((connection->length ? send_unsent(connection) : echo_once(connection)) < 0) {
                close(connection->fd);
                free(connection->unsent);
                free(connection);
            }
        }
    }
}
