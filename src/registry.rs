//! The model registry: every artifact that was trained, by the sha256 of its bytes, with where it
//! came from and how well it did.
//!
//! The journal decides which model priced when; the registry is for people: to see what was trained,
//! to compare, and to go back. Files appear whole or not at all, and what is read is checked against
//! its name, so a half-written or tampered artifact is refused.
//!
//! ```text
//! models/objects/<sha256>      the artifact
//! models/runs/<sha256>.json    its Run
//! models/aliases.json          { "champion": sha256, "challenger": sha256 }
//! ```

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use model::{Pricer, PricerConfig};
use schema::{MarketRow, Time};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::hex;
use crate::{Error, Result};

/// Most models kept; past it the oldest without an alias are removed.
pub const MODELS_MAX: usize = 1_000;
/// Removed at once when there are too many, so that not every window has to look.
const REMOVED_AT_ONCE: usize = 100;
/// Fewest characters of a digest that name a model.
const PREFIX_MIN: usize = 4;

/// A name for the model that has a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alias {
    /// The one that prices.
    Champion,
    /// The one that was trained last.
    Challenger,
}

/// One trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The sha256 of its artifact, in hexadecimal.
    pub digest: String,
    /// Which pricer it is for.
    pub pricer: String,
    /// End of the window it was trained on.
    pub window_end: Time,
    /// Size of its artifact.
    pub bytes: u64,
    /// The model that was live while it was trained; none for the first.
    pub parent: Option<String>,
    /// First and last tick of the journal it learned from beyond what its parent had.
    pub ticks: [u64; 2],
    /// The sha256 of the market rows it learned from in those ticks, as decided on and as closed.
    pub data_digest: String,
    /// The pricer's settings.
    pub config: serde_json::Value,
    /// How its parent did on the window it was trained at the end of, by name.
    pub metrics: BTreeMap<String, f64>,
}

/// The registry in a data directory.
#[derive(Clone, Debug)]
pub struct Registry {
    dir: PathBuf,
    /// Whether files have to survive a power cut.
    durable: bool,
}

impl Registry {
    /// The registry of a data directory, which need not exist yet. Without `durable` files survive
    /// the end of the process, not a power cut: enough for a rehearsal.
    pub fn of(data_dir: &Path, durable: bool) -> Self {
        Self { dir: data_dir.join("models"), durable }
    }

    /// Stores an artifact with its run; storing the same again changes nothing.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    ///
    /// # Panics
    /// When the run is not that of this artifact.
    pub fn put(&self, artifact: &[u8], run: &Run) -> Result<()> {
        assert_eq!(run.digest, digest(artifact), "a run names its own artifact");
        let text = serde_json::to_vec_pretty(run).map_err(std::io::Error::from);
        let text = text.map_err(|source| Error::file("cannot write", &self.dir, source))?;
        self.write(&self.object(&run.digest), artifact)?;
        self.write(&self.run_file(&run.digest), &text)?;
        self.prune()
    }

    /// An artifact, checked against its name.
    ///
    /// # Errors
    /// [`Error::File`] when it is not there or not readable, [`Error::Artifact`] when its bytes are
    /// not those that were stored.
    pub fn artifact(&self, digest_wanted: &str) -> Result<Vec<u8>> {
        let path = self.object(digest_wanted);
        let bytes =
            std::fs::read(&path).map_err(|source| Error::file("cannot read", &path, source))?;
        let found = digest(&bytes);
        if found != digest_wanted {
            return Err(Error::Artifact { path, found });
        }
        Ok(bytes)
    }

    /// The run of a model given by its digest, the first characters of it, or an alias.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] when there is none or more than one, and those of reading.
    pub fn run(&self, name: &str) -> Result<Run> {
        let aliases = self.aliases()?;
        let role = match name {
            "champion" => Some(Alias::Champion),
            "challenger" => Some(Alias::Challenger),
            _ => None,
        };
        let wanted = role.map_or(Some(name.to_owned()), |role| aliases.get(&role).cloned());
        let unknown = |why| Error::UnknownModel { name: name.to_owned(), why };
        let wanted = wanted.ok_or_else(|| unknown("no model has this alias yet"))?;
        if wanted.len() < PREFIX_MIN {
            return Err(unknown("give at least four characters of its digest"));
        }
        let mut fits = self.runs()?.into_iter().filter(|run| run.digest.starts_with(&wanted));
        match (fits.next(), fits.next()) {
            (Some(run), None) => Ok(run),
            (Some(_), Some(_)) => Err(unknown("more than one begins so: give more of its digest")),
            _ => Err(unknown("see `tideline models list`")),
        }
    }

    /// Every run, the latest window last.
    ///
    /// # Errors
    /// [`Error::File`] when the directory or a run in it cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>> {
        let dir = self.dir.join("runs");
        let Ok(listing) = std::fs::read_dir(&dir) else { return Ok(Vec::new()) };
        let mut runs = Vec::new();
        for entry in listing {
            let path = entry.map_err(|source| Error::file("cannot read", &dir, source))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                runs.push(read::<Run>(&path)?);
            }
        }
        runs.sort_by(|a, b| (a.window_end, &a.digest).cmp(&(b.window_end, &b.digest)));
        Ok(runs)
    }

    /// Which model has which role.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read.
    pub fn aliases(&self) -> Result<BTreeMap<Alias, String>> {
        let path = self.dir.join("aliases.json");
        if path.exists() { read(&path) } else { Ok(BTreeMap::new()) }
    }

    /// Gives a model a role.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    pub fn set_alias(&self, alias: Alias, digest: &str) -> Result<()> {
        let mut aliases = self.aliases()?;
        if aliases.insert(alias, digest.to_owned()).as_deref() == Some(digest) {
            return Ok(());
        }
        let path = self.dir.join("aliases.json");
        let text = serde_json::to_vec_pretty(&aliases).map_err(std::io::Error::from);
        let text = text.map_err(|source| Error::file("cannot write", &path, source))?;
        self.write(&path, &text)
    }

    fn object(&self, digest: &str) -> PathBuf {
        self.dir.join("objects").join(digest)
    }

    fn run_file(&self, digest: &str) -> PathBuf {
        self.dir.join("runs").join(format!("{digest}.json"))
    }

    /// Writes a file whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let fail = |source| Error::file("cannot write", path, source);
        let dir = path.parent().unwrap_or(&self.dir);
        std::fs::create_dir_all(dir).map_err(fail)?;
        let draft = path.with_extension("draft");
        let mut file = std::fs::File::create(&draft).map_err(fail)?;
        file.write_all(bytes).map_err(fail)?;
        if self.durable {
            file.sync_all().map_err(fail)?;
        }
        drop(file);
        std::fs::rename(&draft, path).map_err(fail)?;
        if self.durable {
            std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(fail)?;
        }
        Ok(())
    }

    /// Removes the oldest models without a role when there are too many.
    fn prune(&self) -> Result<()> {
        let objects = self.dir.join("objects");
        let count = std::fs::read_dir(&objects).map_or(0, Iterator::count);
        if count <= MODELS_MAX {
            return Ok(());
        }
        let aliases = self.aliases()?;
        let kept = |run: &Run| aliases.values().any(|digest| *digest == run.digest);
        let surplus = count - MODELS_MAX + REMOVED_AT_ONCE;
        for run in self.runs()?.into_iter().filter(|run| !kept(run)).take(surplus) {
            for path in [self.run_file(&run.digest), self.object(&run.digest)] {
                std::fs::remove_file(&path)
                    .map_err(|source| Error::file("cannot remove", path, source))?;
            }
        }
        Ok(())
    }
}

/// Follows what a pricer learns from, and records every model it trains.
pub struct Registrar {
    registry: Registry,
    config: serde_json::Value,
    first_tick: u64,
    lessons: Sha256,
}

impl Registrar {
    /// For a pricer with these settings.
    pub fn new(registry: Registry, pricer: &PricerConfig) -> Self {
        let config = serde_json::to_value(pricer).unwrap_or_default();
        Self { registry, config, first_tick: 1, lessons: Sha256::new() }
    }

    /// A market it learned from.
    pub fn lesson(&mut self, as_of: &MarketRow, closing: &MarketRow) {
        for row in [as_of, closing] {
            self.lessons.update(row.fixture.0.to_le_bytes());
            self.lessons.update(row.market.to_string());
            for quote in &row.books {
                self.lessons.update(quote.book.0.to_le_bytes());
                self.lessons.update(quote.at.ms().to_le_bytes());
                for odds in quote.prices {
                    self.lessons.update(odds.scaled().to_le_bytes());
                }
            }
        }
    }

    /// A window closed and left an artifact. `metrics` say how the live model did on that window.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be stored.
    pub fn trained(
        &mut self,
        artifact: &[u8],
        window_end: Time,
        last_tick: u64,
        pricer: &dyn Pricer,
        metrics: BTreeMap<String, f64>,
    ) -> Result<()> {
        let lessons = std::mem::take(&mut self.lessons);
        let run = Run {
            digest: digest(artifact),
            pricer: pricer.name().to_owned(),
            window_end,
            bytes: artifact.len() as u64,
            parent: Some(pricer.model().to_owned()).filter(|model| model != pricer.name()),
            ticks: [self.first_tick, last_tick],
            data_digest: hex(&lessons.finalize()),
            config: self.config.clone(),
            metrics,
        };
        self.first_tick = last_tick + 1;
        self.registry.put(artifact, &run)?;
        self.registry.set_alias(Alias::Challenger, &run.digest)
    }

    /// A model went live.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be noted.
    pub fn live(&self, digest: &str) -> Result<()> {
        self.registry.set_alias(Alias::Champion, digest)
    }

    /// Goes on after what a journal had: the next model learns from the tick after this one.
    pub fn recovered(&mut self, last_tick: u64) {
        self.first_tick = last_tick + 1;
        self.lessons = Sha256::new();
    }
}

/// The sha256 of an artifact, in hexadecimal.
pub fn digest(artifact: &[u8]) -> String {
    hex(&Sha256::digest(artifact))
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|source| Error::file("cannot read", path, source))?;
    serde_json::from_slice(&bytes).map_err(|source| Error::file("cannot read", path, source.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(artifact: &[u8], window: i64) -> Run {
        Run {
            digest: digest(artifact),
            pricer: "market".to_owned(),
            window_end: Time::from_ms(window),
            bytes: artifact.len() as u64,
            parent: None,
            ticks: [1, 2],
            data_digest: String::new(),
            config: serde_json::Value::Null,
            metrics: BTreeMap::from([("markets".to_owned(), 3.0)]),
        }
    }

    #[test]
    fn what_is_put_is_found_by_digest_prefix_and_alias() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::of(folder.path(), true);
        assert!(registry.runs().unwrap().is_empty());
        for (window, artifact) in [(2, b"two"), (1, b"one")] {
            registry.put(artifact, &run(artifact, window)).unwrap();
        }
        let runs = registry.runs().unwrap();
        assert_eq!(runs, [run(b"one", 1), run(b"two", 2)]);
        registry.set_alias(Alias::Champion, &runs[0].digest).unwrap();
        registry.set_alias(Alias::Challenger, &runs[1].digest).unwrap();
        assert_eq!(registry.run("champion").unwrap(), runs[0]);
        assert_eq!(registry.run(&runs[1].digest[..8]).unwrap(), runs[1]);
        assert_eq!(registry.artifact(&runs[1].digest).unwrap(), b"two");
        for (name, word) in [("ab", "four"), ("0000000000", "models list")] {
            let message = registry.run(name).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_tampered_or_half_written_artifact_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::of(folder.path(), false);
        let model = run(b"the artifact", 1);
        registry.put(b"the artifact", &model).unwrap();
        let path = registry.object(&model.digest);
        for bad in [&b"the artifacT"[..], b"the art", b""] {
            std::fs::write(&path, bad).unwrap();
            let message = registry.artifact(&model.digest).unwrap_err().to_string();
            assert!(message.contains("not what was stored"), "{message}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(registry.artifact(&model.digest), Err(Error::File { .. })));
    }

    #[test]
    fn the_oldest_are_removed_and_those_with_a_role_stay() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::of(folder.path(), false);
        let artifact = |i: usize| format!("artifact {i}").into_bytes();
        for i in 0..=MODELS_MAX {
            registry.put(&artifact(i), &run(&artifact(i), i as i64)).unwrap();
            if i == 0 {
                registry.set_alias(Alias::Champion, &digest(&artifact(0))).unwrap();
            }
        }
        let runs = registry.runs().unwrap();
        assert_eq!(runs.len(), MODELS_MAX - REMOVED_AT_ONCE);
        assert_eq!(runs[0].digest, digest(&artifact(0)), "the champion stays");
        assert_eq!(runs[1].window_end, Time::from_ms(REMOVED_AT_ONCE as i64 + 2));
    }
}
