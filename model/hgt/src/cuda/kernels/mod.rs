//! The arithmetic as `CubeCL` kernels: one source for CUDA and for what the tests run on.
//!
//! No atomics and no order that depends on the device: every number is summed by one unit in the
//! order of its index lists, long sums in pieces that are summed in turn. Two runs are therefore
//! equal bit for bit, and a target with thousands of edges is not the work of one unit.

#![allow(
    clippy::ptr_arg,
    clippy::needless_pass_by_ref_mut,
    clippy::too_many_arguments,
    clippy::cast_lossless,
    clippy::used_underscore_binding,
    clippy::range_plus_one,
    clippy::trivially_copy_pass_by_ref,
    reason = "a kernel's signature is its buffers; what is generated from it is not ours to shape"
)]

pub(crate) mod edges;
pub(crate) mod pointwise;
pub(crate) mod product;
pub(crate) mod sums;
