//! The graph pricer: the form pricer's line, corrected by a graph transformer.
//!
//! The linear part finds what moves every line alike; the transformer sees which matches, which
//! books, which teams it was, and corrects what is left. It starts at exactly zero, so that a model
//! that has learned nothing prices as the form pricer does, and that one as the market. Until the
//! first challenger is better than that on fixtures it has not seen, nothing of it goes live.
//!
//! A window's training takes seconds, so it can be done beside the stream ([`Pricer::training`]); what
//! it comes to goes live like every model, by an event of the journal.

mod champion;
mod inputs;
mod problem;
mod scale;
mod training;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use schema::{
    Delta, FixtureId, LeagueId, Market, MarketRow, Probability, SELECTIONS_MAX, Span, Time,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use ::hgt::DeviceChoice;
pub use ::hgt::train::Grid;
use ::hgt::train::Trial;

use crate::consensus::{Logs, probabilities};
use crate::form::{self, Finished, FormPricer, Odds, Seen, coordinates, moved};
use crate::goals::Goals;
use crate::{Challenger, Error, Fair, Pricer, Progress, Result, Training};
use champion::{Champion, Moves, Ready};
use inputs::{Inputs, Matches};
use problem::{Places, Sample, Teaching};
use training::{Choice, Gate, Lesson, Outcome};

/// Name in topology and journal.
pub const NAME: &str = "hgt";
/// Settings in a topology.
pub const EXAMPLE: &str = "\
type: hgt
members: 3
hidden: 16
heads: 4
layers: 2
dropout: 0.3
outcome_share: 0.0
learning_rate: 0.005
memory: 1095d
fixtures_min: 4000
form:
  odds: all
";
/// Layout of artifacts and states.
const LAYOUT: u16 = 1;
/// Fixtures kept to learn from at most.
const SAMPLES_MAX: usize = 60_000;
/// A fixture without a result for so long is let go.
const PENDING_MAX: Span = Span::days(120);
/// Networks of one model at most: each is asked for every price.
const MEMBERS_MAX: usize = 16;
/// Moves of a line beyond this, by coordinate, are not believed.
const OUTCOME_MAX: f64 = 0.5;

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The form pricer it starts from, and which odds may be known.
    pub form: form::Config,
    /// Networks trained apart and averaged: 3.
    pub members: usize,
    /// Width of a node's state: 16.
    pub hidden: usize,
    /// Attention heads: 4.
    pub heads: usize,
    /// Layers: 2.
    pub layers: usize,
    /// Share of a state left out by chance in training: 0.3.
    pub dropout: f64,
    /// Step of the first training: 0.005.
    pub learning_rate: f64,
    /// Step of later trainings, as a share of it: 0.3.
    pub warm_rate: f64,
    /// Decoupled weight decay, times the learning rate: 1.
    pub weight_decay: f64,
    /// Steps of the first training at most: 250.
    pub steps: usize,
    /// Steps of later trainings at most: 10.
    pub warm_steps: usize,
    /// Checks without an improvement until it stops: 20.
    pub patience: usize,
    /// Time after which a fixture is no longer learned from: 1095 d, three seasons.
    pub memory: Span,
    /// Fixtures to have before the first training: 4000.
    pub fixtures_min: usize,
    /// Fixtures that say when to stop: 1200.
    pub validate_fixtures: usize,
    /// Newest settled fixtures, on which a challenger has to be better: 300.
    pub gate_fixtures: usize,
    /// How much what happened counts, beside where the line closed: 0, since the form
    /// pricer has taken it in already.
    pub outcome_share: f64,
    /// Of weights and dropout.
    pub seed: u64,
    /// Where to train: `auto` takes a GPU when the program can use one and there is one.
    pub device: DeviceChoice,
    /// What a sweep tries: two widths, three learning rates, three dropouts.
    pub sweep: Grid,
    /// Time between two sweeps, whose best settings the next trainings take; none by themselves.
    pub sweep_every: Option<Span>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            form: form::Config::default(),
            members: 3,
            hidden: 16,
            heads: 4,
            layers: 2,
            dropout: 0.3,
            learning_rate: 0.005,
            warm_rate: 0.3,
            weight_decay: 1.0,
            steps: 250,
            warm_steps: 10,
            patience: 20,
            memory: Span::days(1095),
            fixtures_min: 4000,
            validate_fixtures: 1200,
            gate_fixtures: 300,
            outcome_share: 0.0,
            seed: 1,
            device: DeviceChoice::Auto,
            sweep: Grid {
                learning_rates: vec![0.002, 0.005, 0.01],
                hiddens: vec![16, 32],
                dropouts: vec![0.1, 0.3, 0.5],
            },
            sweep_every: None,
        }
    }
}

/// What is live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Artifact {
    layout: u16,
    /// The form pricer's artifact, as text.
    form: String,
    champion: Option<Champion>,
}

/// Everything it knows, beside the form pricer's knowledge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    digest: String,
    /// The form pricer's last artifact.
    form: String,
    champion: Option<Champion>,
    /// What the last training came to, promoted or not.
    challenger: Option<Champion>,
    gate: Gate,
    promotions: u64,
    matches: Matches,
    places: Places,
    pending: BTreeMap<FixtureId, Sample>,
    samples: VecDeque<Arc<Sample>>,
    /// What the last sweep chose, and when.
    choice: Option<Choice>,
    swept: Option<Time>,
    /// Digest of every sample so far, each upon the last.
    learned: String,
}

/// The graph pricer.
#[derive(Clone, Debug)]
pub struct HgtPricer {
    config: Config,
    form: FormPricer,
    state: State,
    ready: Option<Ready>,
}

impl HgtPricer {
    /// A pricer that has learned nothing: it prices as the form pricer does.
    ///
    /// # Errors
    /// [`Error::Setting`] with the accepted range, [`Error::Training`] for sizes no model can have.
    pub fn new(config: Config) -> Result<Self> {
        config.check()?;
        let state = State {
            digest: NAME.to_owned(),
            form: String::new(),
            champion: None,
            challenger: None,
            gate: Gate::default(),
            promotions: 0,
            matches: Matches::default(),
            places: Places::default(),
            pending: BTreeMap::new(),
            samples: VecDeque::new(),
            choice: None,
            swept: None,
            learned: String::new(),
        };
        Ok(Self { form: FormPricer::new(config.form.clone())?, config, state, ready: None })
    }

    /// Takes down what a decision sees.
    fn sample(&self, row: &MarketRow) -> Option<Sample> {
        let fixture = self.form.fixture(row.fixture)?;
        let seen = self.form.seen(row.fixture)?;
        let (inputs, line) = self.inputs(row, seen)?;
        Some(Sample {
            fixture: row.fixture,
            kick_off: fixture.kick_off,
            inputs,
            base: std::array::from_fn(|at| line[at] as f32),
            rates: self.form.rates(row.fixture, seen).map(|x| x as f32),
            closed: None,
            closed_rates: None,
            score: None,
        })
    }

    /// What the transformer sees, and the line that it corrects.
    fn inputs(&self, row: &MarketRow, seen: &Seen) -> Option<(Inputs, Logs)> {
        let fixture = self.form.fixture(row.fixture)?;
        let line = self.form.adjusted(seen);
        let market = (self.config.form.odds == Odds::All).then_some(row);
        Some((Inputs::of(fixture, seen, coordinates(&line), market, &self.state.matches), line))
    }

    fn finish(&mut self, finished: &Finished) {
        self.state.matches.add(finished);
        let Some(mut sample) = self.state.pending.remove(&finished.fixture) else { return };
        let numbers = |it: Option<[f64; 2]>| it.map(|it| it.map(|x| x as f32));
        sample.closed = numbers(finished.closed);
        sample.closed_rates = numbers(finished.closed_rates);
        sample.score = Some(finished.score);
        if sample.closed.is_none() && self.config.form.odds != Odds::None {
            return;
        }
        self.state.places.note(&sample.inputs);
        self.state.learned = sample.digest(&self.state.learned);
        self.state.samples.push_back(Arc::new(sample));
        if self.state.samples.len() > SAMPLES_MAX {
            self.state.samples.pop_front();
        }
    }

    fn artifact(&self, champion: Option<&Champion>) -> Result<Vec<u8>> {
        let form = self.state.form.clone();
        Ok(serde_json::to_vec(&Artifact { layout: LAYOUT, form, champion: champion.cloned() })?)
    }

    /// All that a training of a window depends on.
    fn key(&self, end: Time) -> String {
        let config = serde_json::to_string(&self.config).unwrap_or_default();
        let of = |it: Option<&Champion>| it.map(Champion::digest).unwrap_or_default();
        let (champion, warm) = (of(self.state.champion.as_ref()), of(self.warm()));
        digest([
            config.as_bytes(),
            &end.ms().to_le_bytes(),
            self.state.learned.as_bytes(),
            champion.as_bytes(),
            warm.as_bytes(),
        ])
    }

    /// All that a training needs, taken out of here.
    fn lesson(&self, end: Time, sweep: bool) -> Lesson {
        let mut config = self.config.clone();
        if let Some(choice) = &self.state.choice {
            config.take(choice);
        }
        Lesson {
            config,
            samples: self.samples(end).cloned().collect(),
            matches: self.state.matches.clone(),
            places: self.state.places.clone(),
            champion: self.state.champion.clone(),
            warm: self.warm().cloned(),
            teaching: self.teaching(),
            window_end: end,
            sweep,
        }
    }

    /// What the next training goes on from. After a start from a journal, which holds what went live
    /// and not what was only tried, that is the champion.
    fn warm(&self) -> Option<&Champion> {
        self.state.challenger.as_ref().or(self.state.champion.as_ref())
    }

    /// What can be learned from at a time.
    fn samples(&self, end: Time) -> impl Iterator<Item = &Arc<Sample>> {
        let oldest = end.minus(self.config.memory);
        self.state.samples.iter().filter(move |sample| sample.kick_off >= oldest)
    }

    fn teaching(&self) -> Teaching {
        let odds = self.config.form.odds != Odds::None;
        Teaching { outcome_share: self.config.outcome_share, odds }
    }

    /// The price of a market on goals: what it was, moved as far as the transformer moves the goals.
    fn moved_price(&self, row: &MarketRow, fair: Fair) -> Option<Fair> {
        let ready = self.ready.as_ref()?;
        let seen = self.form.seen(row.fixture)?;
        let sample = self.state.pending.get(&row.fixture)?;
        let moves = ready.moves(&sample.inputs, &self.state.matches).goals;
        let before = self.form.rates(row.fixture, seen);
        let price = |logs: [f64; 2]| Goals { rates: logs.map(f64::exp) }.price(row.market);
        let (old, new) = (price(before), price([before[0] + moves[0], before[1] + moves[1]]));
        let mut logs = [0.0; SELECTIONS_MAX];
        let count = row.market.selections().len();
        for (at, log) in logs.iter_mut().enumerate().take(count) {
            let ln = |p: Probability| p.as_f64().max(1e-9).ln();
            *log = ln(fair.probabilities[at]) + ln(new[at]) - ln(old[at]);
        }
        let p = probabilities(&logs, count);
        Some(Fair { probabilities: p.map(Probability::clamped), ..fair })
    }
}

impl Config {
    /// Takes up what a sweep chose.
    fn take(&mut self, choice: &Choice) {
        self.hidden = choice.hidden;
        self.learning_rate = choice.learning_rate;
        self.dropout = choice.dropout;
    }

    fn check(&self) -> Result<()> {
        let within = |name, value: f64, low: f64, high: f64| {
            let fits = (low..=high).contains(&value);
            if fits { Ok(()) } else { Err(Error::Setting { name, value, low, high }) }
        };
        within("members", self.members as f64, 1.0, MEMBERS_MAX as f64)?;
        within("learning_rate", self.learning_rate, 1e-6, 1.0)?;
        within("warm_rate", self.warm_rate, 1e-3, 1.0)?;
        within("weight_decay", self.weight_decay, 0.0, 1.0)?;
        within("steps", self.steps as f64, 1.0, 1e5)?;
        within("warm_steps", self.warm_steps as f64, 1.0, 1e5)?;
        within("patience", self.patience as f64, 1.0, 1e5)?;
        within("memory (ms)", self.memory.ms() as f64, 1.0, 1e13)?;
        within("outcome_share", self.outcome_share, 0.0, 1.0)?;
        within("validate_fixtures", self.validate_fixtures as f64, 1.0, 1e5)?;
        within("gate_fixtures", self.gate_fixtures as f64, 1.0, 1e5)?;
        let least = (self.validate_fixtures + self.gate_fixtures) as f64;
        within("fixtures_min", self.fixtures_min as f64, least + 100.0, SAMPLES_MAX as f64)?;
        let shape = problem::config(1, self.hidden, self.heads, self.layers, self.dropout);
        shape.check().map_err(|error| Error::Training(error.to_string()))
    }
}

/// The sha256 of these, one after the other, in hexadecimal.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    use std::fmt::Write as _;
    let mut sum = Sha256::new();
    parts.into_iter().for_each(|part| sum.update(part));
    sum.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An artifact, read.
fn parsed(artifact: &[u8], digest: &str) -> Result<Artifact> {
    let refuse = |source| Error::Artifact { digest: digest.to_owned(), source };
    let live: Artifact = serde_json::from_slice(artifact).map_err(refuse)?;
    if live.layout == LAYOUT {
        return Ok(live);
    }
    Err(Error::Layout { digest: digest.to_owned(), found: live.layout, known: LAYOUT })
}

/// A champion made ready, where there is one.
fn readied(champion: Option<&Champion>, digest: &str) -> Result<Option<Ready>> {
    let ready = champion.map(|it| Ready::new(it.clone(), form::COLUMNS + inputs::LINE_NUMBERS));
    ready.transpose().map_err(|why| Error::Weights { digest: digest.to_owned(), why })
}

impl Pricer for HgtPricer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn model(&self) -> &str {
        &self.state.digest
    }

    fn take(&mut self, delta: &Delta) {
        self.form.take(delta);
        let rows = delta.as_of.iter().filter_map(|change| change.after.as_ref());
        for row in rows.filter(|row| row.market == Market::ONE_X_TWO) {
            if let Some(sample) = self.sample(row) {
                self.state.pending.insert(row.fixture, sample);
            }
        }
    }

    fn settle(&mut self, delta: &Delta) {
        self.form.settle(delta);
        for finished in self.form.finished().to_vec() {
            self.finish(&finished);
        }
    }

    fn price(&self, row: &MarketRow, league: LeagueId, now: Time) -> Option<Fair> {
        let fair = self.form.price(row, league, now)?;
        let Some(ready) = &self.ready else { return Some(fair) };
        if row.market != Market::ONE_X_TWO {
            return Some(self.moved_price(row, fair).unwrap_or(fair));
        }
        let Some(seen) = self.form.look(row, league, now) else { return Some(fair) };
        let Some((inputs, line)) = self.inputs(row, &seen) else { return Some(fair) };
        let Moves { outcome, .. } = ready.moves(&inputs, &self.state.matches);
        let by = outcome.map(|by| by.clamp(-OUTCOME_MAX, OUTCOME_MAX));
        let p = probabilities(&moved(&line, by), SELECTIONS_MAX);
        Some(Fair { probabilities: p.map(Probability::clamped), ..fair })
    }

    fn learn(&mut self, as_of: &MarketRow, closing: &MarketRow, league: LeagueId) {
        self.form.learn(as_of, closing, league);
    }

    fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = self.form.metrics();
        let gate = &self.state.gate;
        metrics.insert("gate_better_by".to_owned(), gate.better_by);
        metrics.insert("gate_half_width".to_owned(), gate.half_width);
        metrics.insert("gate_fixtures".to_owned(), gate.fixtures as f64);
        metrics.insert("gate_passed".to_owned(), f64::from(u8::from(gate.passed)));
        metrics.insert("promotions".to_owned(), self.state.promotions as f64);
        metrics
    }

    fn training(&mut self, end: Time) -> Option<Training> {
        let oldest = end.minus(self.config.memory);
        while self.state.samples.front().is_some_and(|sample| sample.kick_off < oldest) {
            self.state.samples.pop_front();
        }
        let forgotten = end.minus(PENDING_MAX);
        self.state.pending.retain(|_, sample| sample.kick_off >= forgotten);
        if self.state.samples.len() < self.config.fixtures_min {
            return None;
        }
        let due = |every: Span| self.state.swept.is_none_or(|at| end.since(at) >= every.ms());
        let sweep = self.config.sweep_every.is_some_and(due);
        if sweep {
            self.state.swept = Some(end);
        }
        let key = self.key(end);
        let lesson = self.lesson(end, sweep);
        Some(Training::new(key, move |progress| Ok(serde_json::to_vec(&lesson.run(progress)?)?)))
    }

    fn sweep(&self, end: Time) -> Option<Training> {
        let known = self.samples(end).count();
        if known <= self.config.validate_fixtures + self.config.gate_fixtures {
            return None;
        }
        let lesson = self.lesson(end, true);
        let work = move |progress: &mut dyn FnMut(Progress)| {
            let trials: Vec<Trial> = lesson.sweep(progress)?;
            Ok(serde_json::to_vec(&trials)?)
        };
        Some(Training::new(self.key(end), work))
    }

    fn trained(&mut self, outcome: &[u8]) -> Result<Option<Challenger>> {
        let Outcome { challenger, gate, choice, .. } = serde_json::from_slice(outcome)?;
        self.state.choice = choice.or(self.state.choice);
        let artifact = self.artifact(Some(&challenger))?;
        self.state.gate = gate;
        if gate.passed {
            self.state.promotions += 1;
            self.state.champion = Some(challenger.clone());
        }
        self.state.challenger = Some(challenger);
        Ok(Some(Challenger { artifact, promoted: gate.passed }))
    }

    fn close_window(&mut self, end: Time) -> Option<Vec<u8>> {
        let form = self.form.close_window(end)?;
        self.state.form = String::from_utf8(form).ok()?;
        self.artifact(self.state.champion.as_ref()).ok()
    }

    fn check(&self, artifact: &[u8], digest: &str) -> Result<()> {
        let artifact = parsed(artifact, digest)?;
        readied(artifact.champion.as_ref(), digest)?;
        self.form.check(artifact.form.as_bytes(), digest)
    }

    fn go_live(&mut self, artifact: &[u8], digest: &str) -> Result<()> {
        let artifact = parsed(artifact, digest)?;
        let same = self.ready.as_ref().map(|ready| &ready.champion) == artifact.champion.as_ref();
        let ready =
            if same { self.ready.take() } else { readied(artifact.champion.as_ref(), digest)? };
        self.form.go_live(artifact.form.as_bytes(), digest)?;
        self.ready = ready;
        self.state.form = artifact.form;
        self.state.champion = artifact.champion;
        digest.clone_into(&mut self.state.digest);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let form = String::from_utf8_lossy(&self.form.save()?).into_owned();
        Ok(serde_json::to_vec(&(form, &self.state))?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        let (form, state): (String, State) = serde_json::from_slice(state)?;
        let ready = readied(state.champion.as_ref(), &state.digest)?;
        let mut pricer = self.form.clone();
        pricer.load(form.as_bytes())?;
        self.form = pricer;
        (self.state, self.ready) = (state, ready);
        Ok(())
    }
}
