/* A latency histogram: 128 places to each power of two, so that a value is known to within 1 %. */
#pragma once
#include <stdint.h>

#define PLACES 128
#define PLACES_LOG2 7
#define POWERS 40

struct histogram {
    uint64_t counts[PLACES * POWERS];
    uint64_t total;
};

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    unsigned place = value;
    if (value >= PLACES) {
        int shift = 63 - __builtin_clzll(value) - PLACES_LOG2;
        place = (shift + 1) * PLACES + ((value >> shift) & (PLACES - 1));
    }
    if (place >= PLACES * POWERS)
        place = PLACES * POWERS - 1;
    histogram->counts[place]++;
    histogram->total++;
}

/* The value below which this fraction lies. */
static inline double histogram_quantile(const struct histogram *histogram, double fraction)
{
    uint64_t target = fraction * histogram->total, below = 0;
    for (unsigned place = 0; place < PLACES * POWERS; place++) {
        below += histogram->counts[place];
        if (below <= target && below < histogram->total)
            continue;
        if (place < PLACES)
            return place;
        int shift = place / PLACES - 1;
        return ((uint64_t)(PLACES + place % PLACES) << shift) + (1ull << shift) / 2.0;
    }
    return 0;
}
