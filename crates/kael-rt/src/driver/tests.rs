//! Tests of the driver from within.
