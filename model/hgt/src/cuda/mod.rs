//! The layer on a GPU: kernels in `CubeCL`, generic over the device they are compiled for.
//!
//! `cuda` uses them on NVIDIA devices. `vulkan-check` runs the very same kernels on any Vulkan
//! device, a software one included, so that they are tested where there is no GPU.

mod indices;
mod jobs;
mod kernels;
mod layer;
mod memory;
#[cfg(feature = "cuda")]
pub(crate) mod probe;
mod run;
mod segments;

/// Single precision and 32-bit indices on an NVIDIA device; neither operations fused nor kernels
/// chosen by measuring, so that two runs do the same.
#[cfg(feature = "cuda")]
pub type Cuda = burn_cuda::Cuda<f32, i32>;

/// The same kernels on a Vulkan device, for checking them.
#[cfg(feature = "vulkan-check")]
#[doc(hidden)]
pub type VulkanCheck = burn_wgpu::Wgpu<f32, i32, u32>;
