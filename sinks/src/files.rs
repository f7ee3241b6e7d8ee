//! Files that a reader never sees half written: a temporary file beside the target, then a rename.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Whether a replaced file must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Synced to the disk before the rename: for what cannot be made again.
    Synced,
    /// Left to the system: for pages that the next run renders again anyway.
    Relaxed,
}

/// Replaces `path` by `bytes`, making its folder when it is missing.
pub(crate) fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    make_parent(path)?;
    let scratch = scratch_path(path);
    let written = File::create(&scratch).and_then(|mut file| {
        file.write_all(bytes)?;
        if durability == Durability::Synced { file.sync_all() } else { Ok(()) }
    });
    if let Err(source) = written {
        // Best effort: the first failure is the one to report.
        let _ = fs::remove_file(&scratch);
        return Err(Error::file("write", path)(source));
    }
    fs::rename(&scratch, path).map_err(Error::file("replace", path))
}

/// Makes the folder a file goes into.
pub(crate) fn make_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs::create_dir_all(parent).map_err(Error::file("make the folder of", path))
        }
        _ => Ok(()),
    }
}

/// Whether `path` could be written, without touching what is there: its folder, or the nearest one
/// above it that exists, takes a new file.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        let source = std::io::Error::from(std::io::ErrorKind::IsADirectory);
        return Err(Error::file("write", path)(source));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    check_folder(parent.unwrap_or_else(|| Path::new(".")))
}

/// Whether files can be made in `folder`, or in the nearest folder above it that exists.
pub(crate) fn check_folder(folder: &Path) -> Result<()> {
    let mut existing = folder;
    while !existing.exists() {
        match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => existing = parent,
            _ => existing = Path::new("."),
        }
    }
    let probe = existing.join(format!(".tideline-check-{}", std::process::id()));
    File::create(&probe).map_err(Error::file("make a file in", existing))?;
    fs::remove_file(&probe).map_err(Error::file("remove", &probe))
}

fn scratch_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/page.html");
        replace(&path, b"one", Durability::Synced).unwrap();
        replace(&path, b"two", Durability::Relaxed).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plain");
        fs::write(&file, "x").unwrap();
        let error = replace(&file.join("page.html"), b"", Durability::Relaxed).unwrap_err();
        assert!(error.to_string().contains("plain"), "{error}");
        assert!(check_writable(&file.join("page.html")).is_err());
        assert!(check_writable(folder.path()).is_err(), "a folder is not a file");
        check_writable(&folder.path().join("a/b/c.html")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the check leaves nothing");
    }
}
