/* A provided buffer ring of equal buffers. Debian 12's liburing 2.3 has the ring but not its set-up in one call. */
#pragma once
#include "common.h"
#include <liburing.h>

struct buffers {
    struct io_uring_buf_ring *ring;
    char *memory;
    unsigned count; /* a power of two */
    unsigned size;
    int added; /* given back since the last advance */
    uint16_t *places; /* of each buffer: its last place in the ring */
};

static inline char *buffer_at(struct buffers *buffers, unsigned id)
{
    return buffers->memory + (size_t)id * buffers->size;
}

/* The kernel sees the buffer at the next buffers_advance. */
static inline void buffer_give_back(struct buffers *buffers, unsigned id)
{
    buffers->places[id] = buffers->ring->tail + buffers->added;
    io_uring_buf_ring_add(buffers->ring, buffer_at(buffers, id), buffers->size, id, buffers->count - 1,
                          buffers->added++);
}

/* The buffer that the kernel takes after this one. */
static inline unsigned buffer_behind(struct buffers *buffers, unsigned id)
{
    return buffers->ring->bufs[(uint16_t)(buffers->places[id] + 1) & (buffers->count - 1)].bid;
}

static inline void buffers_advance(struct buffers *buffers)
{
    if (buffers->added)
        io_uring_buf_ring_advance(buffers->ring, buffers->added);
    buffers->added = 0;
}

static inline struct buffers buffers_new(struct io_uring *ring, unsigned count, unsigned size)
{
    struct buffers buffers = {.count = count, .size = size, .places = calloc(count, sizeof(uint16_t))};
    buffers.ring = zeroed_pages(count * sizeof(struct io_uring_buf));
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)buffers.ring,
        .ring_entries = count,
        .bgid = 0,
    };
    int error = io_uring_register_buf_ring(ring, &registration, 0);
    if (error)
        die("register a buffer ring", -error);
    io_uring_buf_ring_init(buffers.ring);
    buffers.memory = zeroed_pages((size_t)count * size);
    for (unsigned id = 0; id < count; id++)
        buffer_give_back(&buffers, id);
    buffers_advance(&buffers);
    return buffers;
}
