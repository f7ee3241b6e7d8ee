//! Operators' commands from the shell to a running engine, through a spool in the data directory.
//!
//! `tideline halt` puts a file there; the engine turns it into a fact, which is journalled before
//! it is obeyed, and removes the file. A command given while nothing runs waits for the next run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schema::{Clock, Control, Event, Fact, ModelLive, RegionId, SourceId};
use serde::{Deserialize, Serialize};
use sources::{Chunk, Door, Reject};

use crate::registry::Registry;
use crate::{Error, Result};

/// How often a running engine looks into the spool.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Largest command file that is read.
const COMMAND_BYTES_MAX: u64 = 64 * 1024;
/// Most commands taken at one look.
const COMMANDS_MAX: usize = 100;

/// Where commands wait.
pub fn spool(data_dir: &Path) -> PathBuf {
    data_dir.join("commands")
}

/// What a file of the spool says.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Spooled {
    /// Price with this model of the registry.
    Promote { promote: String },
    /// Halt, reduce or resume.
    Control(Control),
}

/// Puts a command into the spool; complete or not at all.
pub fn send(data_dir: &Path, control: &Control, clock: &dyn Clock) -> Result<PathBuf> {
    spooled(data_dir, &Spooled::Control(control.clone()), clock)
}

/// Puts the wish to price with a model of the registry into the spool.
pub fn promote(data_dir: &Path, digest: &str, clock: &dyn Clock) -> Result<PathBuf> {
    spooled(data_dir, &Spooled::Promote { promote: digest.to_owned() }, clock)
}

fn spooled(data_dir: &Path, command: &Spooled, clock: &dyn Clock) -> Result<PathBuf> {
    let dir = spool(data_dir);
    std::fs::create_dir_all(&dir).map_err(|source| Error::file("cannot make", &dir, source))?;
    let name = format!("{:016}-{}", clock.now().ms(), std::process::id());
    let (draft, path) = (dir.join(format!("{name}.draft")), dir.join(format!("{name}.json")));
    let text = serde_json::to_vec(command).map_err(std::io::Error::from);
    let written = text.and_then(|text| std::fs::write(&draft, text));
    written.map_err(|source| Error::file("cannot write", &draft, source))?;
    std::fs::rename(&draft, &path).map_err(|source| Error::file("cannot write", &path, source))?;
    Ok(path)
}

/// Waits for commands and hands them to the engine until it closes the door.
pub async fn watch(data_dir: PathBuf, door: Door, clock: std::sync::Arc<dyn Clock>) {
    let dir = spool(&data_dir);
    while !door.is_closed() {
        for path in waiting(&dir) {
            let chunk = take(&path, &Registry::of(&data_dir, true), clock.as_ref());
            if door.send(chunk).await.is_err() {
                return;
            }
            // Removed only once it is on its way; a file that cannot be removed would be obeyed
            // twice, which for these commands is the same as once.
            let _ = std::fs::remove_file(&path);
        }
        tokio::select! {
            () = door.closed() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Command files in the order they were given.
fn waiting(dir: &Path) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = listing.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort();
    paths.truncate(COMMANDS_MAX);
    paths
}

fn take(path: &Path, registry: &Registry, clock: &dyn Clock) -> Chunk {
    let reject = |reason: String| {
        let offset = path.display().to_string();
        Chunk { rejects: vec![Reject::new("commands", offset, reason, b"")], ..Chunk::default() }
    };
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > COMMAND_BYTES_MAX) {
        return reject(format!("a command has at most {COMMAND_BYTES_MAX} bytes"));
    }
    let command: Spooled = match std::fs::read(path).map(|text| serde_json::from_slice(&text)) {
        Ok(Ok(command)) => command,
        Ok(Err(error)) => return reject(format!("not a command: {error}; use `tideline halt`")),
        Err(error) => return reject(format!("cannot be read: {error}")),
    };
    let fact = match command {
        Spooled::Control(control) => Fact::Control(Box::new(control)),
        Spooled::Promote { promote } => match model(registry, &promote) {
            Ok(model) => Fact::ModelLive(Box::new(model)),
            Err(error) => return reject(error.to_string()),
        },
    };
    let now = clock.now();
    let event = Event {
        event_time: now,
        received_time: now,
        sequence: 0,
        source: SourceId::of("commands"),
        region: RegionId::default(),
        fact,
    };
    Chunk { events: vec![event], ..Chunk::default() }
}

/// A model of the registry as a fact, its artifact checked.
fn model(registry: &Registry, digest: &str) -> Result<ModelLive> {
    let run = registry.run(digest)?;
    let artifact = registry.artifact(&run.digest)?;
    Ok(ModelLive { digest: run.digest, pricer: run.pricer, window_end: run.window_end, artifact })
}
