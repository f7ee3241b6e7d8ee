//! Is there a CUDA device, and everything that using it takes?
//!
//! The driver's library is loaded at run time by code that panics when it is missing, and a
//! released program aborts on a panic. So the loader's own places are searched first, and the
//! driver is only called when it is there.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::device::Found;

/// Names under which the driver's library is loaded.
const DRIVER: &[&str] = &["libcuda.so.1", "libcuda.so"];
/// Names under which the run-time compiler is loaded.
const COMPILER: &[&str] = &["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11"];
/// Where the loader looks besides `LD_LIBRARY_PATH` and its cache.
const PLACES: &[&str] = &["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// The loader's cache: it holds every path in plain text.
const CACHE: &str = "/etc/ld.so.cache";
/// Longest cache that is read.
const CACHE_BYTES_MAX: u64 = 64 << 20;
/// Where a toolkit is expected when `CUDA_PATH` is not set.
const TOOLKITS: &[&str] = &["/usr/local/cuda", "/opt/cuda"];

/// Looks for device 0 and what compiling kernels for it needs.
pub(crate) fn look() -> Found {
    if !cfg!(target_os = "linux") {
        return Found::None("CUDA devices are looked for on Linux only".into());
    }
    if library(DRIVER).is_none() {
        return Found::None(
            "there is no NVIDIA driver (libcuda.so.1): install it, in a container start it with \
             the GPU passed through, or set `device: cpu`"
                .into(),
        );
    }
    let name = match device_name() {
        Ok(name) => name,
        Err(why) => return Found::None(why),
    };
    if library(COMPILER).is_none() {
        return Found::Incomplete(format!(
            "{name} cannot be used without NVRTC (libnvrtc.so): install the CUDA toolkit or add \
             its lib directory to LD_LIBRARY_PATH"
        ));
    }
    match headers(env::var_os("CUDA_PATH").map(PathBuf::from)) {
        Ok(()) => Found::Usable(name),
        Err(why) => Found::Incomplete(format!("{name} cannot be used {why}")),
    }
}

fn device_name() -> Result<String, String> {
    use cudarc::driver::{CudaContext, result};
    let count = CudaContext::device_count().map_err(|it| {
        format!("the NVIDIA driver does not answer ({it:?}): see whether `nvidia-smi` does")
    })?;
    if count == 0 {
        return Err("the NVIDIA driver shows no device: see `nvidia-smi` and \
                    CUDA_VISIBLE_DEVICES"
            .into());
    }
    let name = result::device::get(0).and_then(result::device::get_name);
    name.map_err(|it| format!("the first CUDA device does not answer ({it:?})"))
}

/// Whether kernels will find the headers they include.
fn headers(cuda_path: Option<PathBuf>) -> Result<(), String> {
    let named = cuda_path.is_some();
    let root = cuda_path
        .or_else(|| TOOLKITS.iter().map(PathBuf::from).find(|it| it.exists()))
        .or_else(|| Path::new("/usr/bin/nvcc").exists().then(|| PathBuf::from("/usr")));
    let Some(root) = root else {
        return Err("without the CUDA headers: install the CUDA toolkit, or set CUDA_PATH to \
                    where its `include` is"
            .into());
    };
    if root.join("include/cuda_runtime.h").exists() {
        return Ok(());
    }
    let place = root.join("include");
    Err(if named {
        format!(
            "since CUDA_PATH leads to {}, where there is no cuda_runtime.h: set it to where the \
             toolkit is",
            place.display()
        )
    } else {
        format!(
            "since there is no cuda_runtime.h in {}: install the toolkit's headers or set \
             CUDA_PATH",
            place.display()
        )
    })
}

/// The first file of one of these names that the loader would find and take.
fn library(names: &[&str]) -> Option<PathBuf> {
    let set = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&set).collect();
    places.extend(PLACES.iter().map(PathBuf::from));
    let direct = places.iter().flat_map(|place| names.iter().map(|it| place.join(it)));
    let cached = cached(Path::new(CACHE), names);
    direct.chain(cached).find(|it| fits(it))
}

/// Paths to these names in the loader's cache.
fn cached(cache: &Path, names: &[&str]) -> Vec<PathBuf> {
    let mut bytes = Vec::new();
    let read = File::open(cache).and_then(|it| it.take(CACHE_BYTES_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return Vec::new();
    }
    let texts = bytes.split(|it| *it == 0).filter_map(|it| std::str::from_utf8(it).ok());
    texts
        .filter(|it| it.starts_with('/'))
        .map(PathBuf::from)
        .filter(|it| it.file_name().is_some_and(|it| names.iter().any(|name| it == *name)))
        .collect()
}

/// Whether it is a library for this processor: the loader passes over others.
fn fits(path: &Path) -> bool {
    const MACHINE: u8 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut head = [0_u8; 20];
    let read =
        fs::canonicalize(path).and_then(File::open).and_then(|mut it| it.read_exact(&mut head));
    read.is_ok() && head.starts_with(&[0x7f, b'E', b'L', b'F', 2]) && head[18] == MACHINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_as_the_loader_finds_them() {
        assert!(library(&["libc.so.6"]).is_some(), "every Linux with glibc has it");
        assert!(library(&["libno-such-thing.so.1"]).is_none());
    }

    #[test]
    fn what_is_no_library_for_this_processor_is_passed_over() {
        assert!(fits(&env::current_exe().unwrap()));
        assert!(!fits(Path::new(file!())));
        assert!(!fits(Path::new("/no/such/file")));
        assert!(cached(Path::new("/no/such/cache"), DRIVER).is_empty());
    }

    #[test]
    fn headers_that_are_missing_are_said_with_their_place() {
        let refused = headers(Some(PathBuf::from("/no/such/toolkit"))).unwrap_err();
        assert!(refused.contains("CUDA_PATH") && refused.contains("/no/such/toolkit/include"));
    }

    #[test]
    fn looking_never_panics() {
        let found = look();
        if library(DRIVER).is_none() {
            assert!(matches!(found, Found::None(_)), "{found:?}");
        }
    }
}
