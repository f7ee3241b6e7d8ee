//! Buffers on a device, and the shapes kernels are launched in.

use burn::tensor::{Bytes, DType, Shape};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::client::ComputeClient;
use cubecl::prelude::{CubeCount, CubeDim};

/// A device and its queue.
pub(super) struct Memory<R: CubeRuntime> {
    client: ComputeClient<R>,
    device: R::Device,
}

impl<R: CubeRuntime> Memory<R> {
    pub fn of(tensor: &CubeTensor<R>) -> Self {
        Self { client: tensor.client.clone(), device: tensor.device.clone() }
    }

    pub fn client(&self) -> &ComputeClient<R> {
        &self.client
    }

    pub fn device(&self) -> &R::Device {
        &self.device
    }

    /// Numbers that are about to be written, at least one.
    pub fn empty(&self, length: usize) -> CubeTensor<R> {
        let length = length.max(1);
        let handle = self.client.empty(length * size_of::<f32>());
        self.tensor(handle, [length].into(), DType::F32)
    }

    /// Index lists, at least one long.
    pub fn indices(&self, mut values: Vec<u32>) -> CubeTensor<R> {
        if values.is_empty() {
            values.push(0);
        }
        let length = values.len();
        let handle = self.client.create(Bytes::from_elems(values));
        self.tensor(handle, [length].into(), DType::U32)
    }

    /// The same numbers in another shape. `tensor` is contiguous.
    pub fn shaped(&self, tensor: CubeTensor<R>, shape: impl Into<Shape>) -> CubeTensor<R> {
        self.tensor(tensor.handle, shape.into(), tensor.dtype)
    }

    /// A launch of so many units.
    pub fn units(&self, units: usize) -> (CubeCount, CubeDim) {
        let dim = CubeDim::new(&self.client, units);
        (calculate_cube_count_elemwise(&self.client, units, dim), dim)
    }

    fn tensor(&self, handle: cubecl::server::Handle, shape: Shape, dtype: DType) -> CubeTensor<R> {
        CubeTensor::new_contiguous(self.client.clone(), self.device.clone(), shape, handle, dtype)
    }
}
