//! Which device trains: chosen at start, said aloud, and the only place that names backends.
//!
//! Code that trains or reads out is generic over [`TrainingBackend`] and comes in as an
//! [`OnBackend`]; [`Chosen::run`] instantiates it once for each backend that was built in. A second
//! place that named them would double what has to be compiled.

use burn::backend::Autodiff;
use burn::tensor::backend::AutodiffBackend;
use burn_flex::Flex;
use serde::{Deserialize, Serialize};

use crate::HgtBackend;

/// What was asked for: `device: auto|cpu|cuda`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A CUDA device where there is a usable one, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU, whatever there is.
    Cpu,
    /// A CUDA device; the CPU with a warning where there is none.
    Cuda,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    Cpu,
    /// The CUDA device of this number, as the driver counts under `CUDA_VISIBLE_DEVICES`.
    Cuda(usize),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(at) => write!(f, "cuda:{at}"),
        }
    }
}

/// A device that can be used, and why it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    device: Device,
    note: String,
    warning: bool,
}

/// What looking for a CUDA device found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "nothing is looked for"))]
pub(crate) enum Found {
    /// Device 0 is usable; its name.
    Usable(String),
    /// There is none, or the program cannot use any; why.
    None(String),
    /// There is one, but something needed beside it is missing; what to do about it.
    Incomplete(String),
}

impl DeviceChoice {
    /// Looks what there is and takes a device. Never fails and never panics: what cannot be used
    /// is said in [`Chosen::note`], and the CPU is taken.
    ///
    /// ```
    /// use tideline_hgt::{Device, DeviceChoice};
    ///
    /// let chosen = DeviceChoice::Cpu.choose();
    /// assert_eq!(chosen.device(), Device::Cpu);
    /// assert!(!chosen.is_warning());
    /// ```
    pub fn choose(self) -> Chosen {
        self.choose_from(look)
    }

    pub(crate) fn choose_from(self, look: impl FnOnce() -> Found) -> Chosen {
        let cpu = |note: String, warning| Chosen { device: Device::Cpu, note, warning };
        if self == Self::Cpu {
            return cpu("training on the CPU, as configured".into(), false);
        }
        let asked = self == Self::Cuda;
        match look() {
            Found::Usable(name) => Chosen {
                device: Device::Cuda(0),
                note: format!("training on {name} (cuda:0)"),
                warning: false,
            },
            Found::None(why) if !asked => cpu(format!("training on the CPU: {why}"), false),
            Found::None(why) => {
                cpu(format!("device: cuda was asked for, but {why}. Training on the CPU"), true)
            }
            Found::Incomplete(why) => {
                cpu(format!("there is a CUDA device, but {why}. Training on the CPU"), true)
            }
        }
    }
}

#[cfg(feature = "cuda")]
fn look() -> Found {
    crate::cuda::probe::look()
}

#[cfg(not(feature = "cuda"))]
fn look() -> Found {
    Found::None(
        "this program was built without CUDA: build it with `--features cuda`, or set `device: \
         cpu`"
            .into(),
    )
}

/// A backend that a model can be trained and read out on.
pub trait TrainingBackend: AutodiffBackend<InnerBackend: HgtBackend> + HgtBackend {}

impl<B: AutodiffBackend<InnerBackend: HgtBackend> + HgtBackend> TrainingBackend for B {}

/// Work that does not care which backend it is done on.
///
/// ```
/// use burn::tensor::Tensor;
/// use tideline_hgt::{DeviceChoice, OnBackend, TrainingBackend};
///
/// struct Sum(Vec<f32>);
///
/// impl OnBackend for Sum {
///     type Output = f32;
///
///     fn run<B: TrainingBackend>(self, device: &B::Device) -> f32 {
///         let sum = Tensor::<B, 1>::from_floats(self.0.as_slice(), device).sum_dim(0);
///         sum.into_data().iter::<f32>().sum()
///     }
/// }
///
/// assert_eq!(DeviceChoice::Cpu.choose().run(Sum(vec![1.0, 2.0])), 3.0);
/// ```
pub trait OnBackend {
    /// What comes out.
    type Output;

    /// Does it.
    fn run<B: TrainingBackend>(self, device: &B::Device) -> Self::Output;
}

impl Chosen {
    /// What was taken.
    pub fn device(&self) -> Device {
        self.device
    }

    /// What was taken and why, for people: a line without a full stop.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Whether the note is a warning: what was asked for or is there is not what was taken.
    pub fn is_warning(&self) -> bool {
        self.warning
    }

    /// Does the work there.
    pub fn run<W: OnBackend>(&self, work: W) -> W::Output {
        match self.device {
            #[cfg(feature = "cuda")]
            Device::Cuda(at) => {
                work.run::<Autodiff<crate::cuda::Cuda>>(&burn_cuda::CudaDevice::new(at))
            }
            // Without the feature nothing but the CPU is ever chosen.
            _ => work.run::<Autodiff<Flex>>(&burn_flex::FlexDevice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(choice: DeviceChoice, found: Found) -> (Device, bool, String) {
        let chosen = choice.choose_from(|| found);
        (chosen.device(), chosen.is_warning(), chosen.note().to_owned())
    }

    #[test]
    fn auto_falls_back_quietly_and_cuda_with_a_warning() {
        let none = || Found::None("there is no NVIDIA driver".into());
        let (device, warning, text) = note(DeviceChoice::Auto, none());
        assert_eq!((device, warning), (Device::Cpu, false));
        assert!(text.contains("no NVIDIA driver"), "{text}");
        let (device, warning, text) = note(DeviceChoice::Cuda, none());
        assert_eq!((device, warning), (Device::Cpu, true));
        assert!(text.contains("no NVIDIA driver") && text.contains("CPU"), "{text}");
    }

    #[test]
    fn a_device_that_lacks_something_is_always_a_warning() {
        for choice in [DeviceChoice::Auto, DeviceChoice::Cuda] {
            let (device, warning, text) = note(choice, Found::Incomplete("set CUDA_PATH".into()));
            assert_eq!((device, warning), (Device::Cpu, true));
            assert!(text.contains("set CUDA_PATH"), "{text}");
        }
    }

    #[test]
    fn a_usable_device_is_taken_unless_the_cpu_was_asked_for() {
        let usable = || Found::Usable("NVIDIA H200".into());
        for choice in [DeviceChoice::Auto, DeviceChoice::Cuda] {
            let (device, warning, text) = note(choice, usable());
            assert_eq!((device, warning), (Device::Cuda(0), false));
            assert!(text.contains("H200"), "{text}");
        }
        let looked = DeviceChoice::Cpu.choose_from(|| unreachable!("the CPU needs no looking"));
        assert_eq!(looked.device(), Device::Cpu);
    }

    #[test]
    fn choosing_here_neither_fails_nor_panics_and_what_is_chosen_runs() {
        struct Double(f32);
        impl OnBackend for Double {
            type Output = f32;
            fn run<B: TrainingBackend>(self, device: &B::Device) -> f32 {
                let tensor = burn::tensor::Tensor::<B, 1>::from_floats([self.0], device) * 2.0;
                tensor.into_data().iter::<f32>().sum()
            }
        }
        for choice in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda] {
            let chosen = choice.choose();
            assert!(!chosen.note().is_empty());
            // A GPU that is there is tested by `tests/on_device.rs`.
            if chosen.device() != Device::Cpu {
                continue;
            }
            assert!(
                choice == DeviceChoice::Auto
                    || chosen.is_warning() == (choice == DeviceChoice::Cuda)
            );
            assert_eq!(chosen.run(Double(1.5)), 3.0);
        }
    }

    #[test]
    fn the_choice_is_written_in_lower_case() {
        for (text, choice) in [
            ("\"auto\"", DeviceChoice::Auto),
            ("\"cpu\"", DeviceChoice::Cpu),
            ("\"cuda\"", DeviceChoice::Cuda),
        ] {
            assert_eq!(serde_json::from_str::<DeviceChoice>(text).unwrap(), choice);
            assert_eq!(serde_json::to_string(&choice).unwrap(), text);
        }
        assert!(serde_json::from_str::<DeviceChoice>("\"gpu\"").is_err());
    }
}
