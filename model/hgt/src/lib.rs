//! A heterogeneous graph transformer that trains in burn, with a gradient of its own.
//!
//! [`Config`] -> [`Config::init`] -> [`Hgt::forward`] over a [`Graph`]. A layer is one operation
//! with its own gradient, so that nothing as long as the edges is ever gathered, copied or kept
//! but the attention itself. [`Weights`] carry a trained model as bytes that are checked when they are
//! read.

#![allow(
    clippy::inline_always,
    reason = "a kernel is compiled once for each set of instructions, with all that it calls"
)]
#![allow(
    clippy::many_single_char_names,
    clippy::needless_range_loop,
    reason = "kernels are formulas over indices"
)]
#![allow(
    clippy::needless_pass_by_value,
    clippy::single_range_in_vec_init,
    reason = "tensors are handles that burn's own calls take so"
)]

mod config;
#[cfg(feature = "kernels-on-a-device")]
mod cuda;
mod device;
mod error;
pub mod fast;
mod generic;
mod graph;
#[cfg(feature = "kernels-on-a-device")]
mod kept;
mod kernels;
mod model;
mod operation;
mod plan;
mod topology;
pub mod train;
mod weights;

pub use config::{Config, NodeType, Output, PARTS_MAX, Relation, WIDTH_MAX};
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
#[cfg(feature = "vulkan-check")]
#[doc(hidden)]
pub use cuda::VulkanCheck;
pub use device::{Chosen, Device, DeviceChoice, OnBackend, TrainingBackend};
pub use error::{Error, Result};
pub use graph::Graph;
pub use model::{Hgt, HgtLayer, HgtOutput, Mode};
pub use operation::HgtBackend;
#[doc(hidden)]
pub use operation::{HgtKernels, LayerTensors, SavedForward, Work};
pub use topology::{Csr, Edges, ROWS_MAX, Topology};
pub use weights::{WEIGHTS_VERSION, Weights};
