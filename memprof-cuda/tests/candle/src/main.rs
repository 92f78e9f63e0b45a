//! A small model in candle, on a GPU: which of its layers hold the device's memory. docs/candle.md says what the report says.

use candle_core::{DType, Device, Result, Tensor};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

/// 1,024 by 4,096 and 4,096 by 1,024 floats.
struct Layer {
    up: Tensor,
    down: Tensor,
}

impl Layer {
    #[memprof::track]
    fn load(device: &Device) -> Result<Self> {
        let up = Tensor::zeros((1_024, 4_096), DType::F32, device)?;
        let down = Tensor::zeros((4_096, 1_024), DType::F32, device)?;
        Ok(Self { up, down })
    }

    #[memprof::track]
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        input.matmul(&self.up)?.relu()?.matmul(&self.down)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // The one line: every allocation of the driver's, by the function in which it happens.
    let _guard = memprof::cuda::intercept()?;
    let device = Device::new_cuda(0)?;
    let layers = (0..4).map(|_| Layer::load(&device)).collect::<Result<Vec<_>>>()?;
    let mut hidden = Tensor::zeros((256, 1_024), DType::F32, &device)?;
    for layer in &layers {
        hidden = layer.forward(&hidden)?;
    }
    device.synchronize()?;
    println!("{:?}", hidden.shape());
    Ok(())
}
