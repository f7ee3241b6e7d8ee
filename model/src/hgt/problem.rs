//! The graph of the model: which nodes, which edges, what is to be learned.
//!
//! | relation | says |
//! |---|---|
//! | team `home` fixture, team `away` fixture | who plays, as of the decision |
//! | league `holds` fixture | in which competition |
//! | quote `prices` fixture | what a book thinks |
//! | book `makes` quote | whose price |
//! | match `recent` team | its three latest matches |
//! | match `earlier` team | the seven before |
//!
//! A team is one node per fixture, as it stood then, so that no edge leads back in time.

use std::collections::BTreeMap;

use ::hgt::train::{self, Problem, Role, TargetRow};
use ::hgt::{Edges, NodeType, Output, Relation};
use schema::{BookId, FixtureId, LeagueId, Time};
use serde::{Deserialize, Serialize};

use super::inputs::{Inputs, MATCH_WIDTH, MatchKey, Matches, QUOTE_WIDTH, RECENT, TEAM_WIDTH};
use super::scale::Scale;

/// Node types, in order.
pub(crate) const FIXTURE: usize = 0;
pub(crate) const TEAM: usize = 1;
pub(crate) const LEAGUE: usize = 2;
pub(crate) const BOOK: usize = 3;
pub(crate) const QUOTE: usize = 4;
pub(crate) const MATCH: usize = 5;
const TYPES: [&str; 6] = ["fixture", "team", "league", "book", "quote", "match"];
/// Relations, in order: source, name, target.
const RELATIONS: [(usize, &str, usize); 7] = [
    (TEAM, "home", FIXTURE),
    (TEAM, "away", FIXTURE),
    (LEAGUE, "holds", FIXTURE),
    (QUOTE, "prices", FIXTURE),
    (BOOK, "makes", QUOTE),
    (MATCH, "recent", TEAM),
    (MATCH, "earlier", TEAM),
];
pub(crate) const HOME: usize = 0;
pub(crate) const AWAY: usize = 1;
pub(crate) const HOLDS: usize = 2;
pub(crate) const PRICES: usize = 3;
pub(crate) const MAKES: usize = 4;
pub(crate) const RECENTLY: usize = 5;
pub(crate) const EARLIER: usize = 6;
/// Leagues and books that a model can tell apart; further ones share a place.
const LEAGUES_MAX: usize = 48;
const BOOKS_MAX: usize = 32;

/// A fixture that can be learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub fixture: FixtureId,
    pub kick_off: Time,
    pub inputs: Inputs,
    /// The line that is corrected, in centred logs.
    pub base: [f32; 3],
    /// Logs of the goals that prices or ratings expect.
    pub rates: [f32; 2],
    /// Where the line closed, by coordinate, and the goals behind the closing prices.
    pub closed: Option<[f32; 2]>,
    pub closed_rates: Option<[f32; 2]>,
    /// Goals, once it is over.
    pub score: Option<[u16; 2]>,
}

impl Sample {
    /// Digest of it upon that of what came before.
    pub fn digest(&self, before: &str) -> String {
        let inputs = &self.inputs;
        let quotes = inputs.quotes.iter().flat_map(|(_, numbers)| numbers);
        let closed = self.closed.into_iter().chain(self.closed_rates).flatten();
        let score = self.score.into_iter().flatten().map(f32::from);
        let numbers: Vec<u8> = inputs
            .fixture
            .iter()
            .chain(inputs.sides.iter().flatten())
            .chain(quotes)
            .chain(&self.base)
            .copied()
            .chain(closed)
            .chain(score)
            .flat_map(f32::to_le_bytes)
            .collect();
        super::digest([before.as_bytes(), &self.fixture.0.to_le_bytes(), &numbers])
    }
}

/// Places of leagues and books, by first appearance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Places {
    leagues: Vec<LeagueId>,
    books: Vec<BookId>,
}

impl Places {
    /// Gives everybody in a sample a place.
    pub fn note(&mut self, inputs: &Inputs) {
        if !self.leagues.contains(&inputs.league) && self.leagues.len() + 1 < LEAGUES_MAX {
            self.leagues.push(inputs.league);
        }
        for (book, _) in &inputs.quotes {
            if !self.books.contains(book) && self.books.len() + 1 < BOOKS_MAX {
                self.books.push(*book);
            }
        }
    }

    pub fn league(&self, league: LeagueId) -> usize {
        self.leagues.iter().position(|it| *it == league).unwrap_or(LEAGUES_MAX - 1)
    }

    pub fn book(&self, book: BookId) -> usize {
        self.books.iter().position(|it| *it == book).unwrap_or(BOOKS_MAX - 1)
    }
}

/// Scales by node type (leagues and books are told apart by place).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scales {
    pub fixture: Scale,
    pub team: Scale,
    pub quote: Scale,
    pub matches: Scale,
}

impl Scales {
    /// Those of these samples.
    pub fn of(samples: &[&Sample], matches: &Matches) -> Self {
        let width = samples.first().map_or(0, |it| it.inputs.fixture.len());
        let sides = samples.iter().flat_map(|it| &it.inputs.sides).map(Vec::as_slice);
        let quotes = samples.iter().flat_map(|it| &it.inputs.quotes).map(|it| it.1.as_slice());
        let keys = samples.iter().flat_map(|it| it.inputs.last.iter().flatten());
        Self {
            fixture: Scale::of(samples.iter().map(|it| it.inputs.fixture.as_slice()), width),
            team: Scale::of(sides, TEAM_WIDTH),
            quote: Scale::of(quotes, QUOTE_WIDTH),
            matches: Scale::of(keys.filter_map(|key| matches.get(*key)), MATCH_WIDTH),
        }
    }
}

/// The transformer's configuration.
pub(crate) fn config(
    fixture: usize,
    hidden: usize,
    heads: usize,
    layers: usize,
    dropout: f64,
) -> hgt::Config {
    let widths = [fixture, TEAM_WIDTH, LEAGUES_MAX, BOOKS_MAX, QUOTE_WIDTH, MATCH_WIDTH];
    let output = |name: &str| Output {
        name: name.to_owned(),
        node_type: TYPES[FIXTURE].to_owned(),
        width: train::MOVES,
        zero_start: true,
    };
    hgt::Config {
        node_types: TYPES
            .iter()
            .zip(widths)
            .map(|(name, width)| NodeType { name: (*name).to_owned(), width })
            .collect(),
        relations: RELATIONS
            .iter()
            .map(|(source, name, target)| Relation {
                source: TYPES[*source].to_owned(),
                name: (*name).to_owned(),
                target: TYPES[*target].to_owned(),
            })
            .collect(),
        hidden,
        heads,
        layers,
        dropout,
        outputs: vec![output(train::OUTCOME), output(train::CLOSING), output(train::GOALS)],
    }
}

/// One of so many.
pub(crate) fn place(at: usize, of: usize) -> Vec<f32> {
    (0..of).map(|it| if it == at { 1.0 } else { 0.0 }).collect()
}

/// Leagues' and books' features: which place each is.
pub(crate) fn league(at: usize) -> Vec<f32> {
    place(at, LEAGUES_MAX)
}
pub(crate) fn book(at: usize) -> Vec<f32> {
    place(at, BOOKS_MAX)
}

/// What is being learned, beside the numbers themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teaching {
    /// How much what happened counts beside the close.
    pub outcome_share: f64,
    /// Whether closing lines may teach.
    pub odds: bool,
}

/// The graph of these samples; roles by sample.
pub(crate) fn problem(
    samples: &[(&Sample, Role)],
    matches: &Matches,
    places: &Places,
    scales: &Scales,
    teaching: Teaching,
) -> Problem {
    let mut features: Vec<Vec<f32>> = vec![Vec::new(); TYPES.len()];
    let mut edges = vec![Edges::default(); RELATIONS.len()];
    let mut edge = |relation: usize, source: usize, target: usize| {
        edges[relation].sources.push(source as u32);
        edges[relation].targets.push(target as u32);
    };
    let mut match_rows: BTreeMap<MatchKey, usize> = BTreeMap::new();
    let (mut quotes, mut rows) = (0, Vec::with_capacity(samples.len()));
    for (fixture, (sample, role)) in samples.iter().enumerate() {
        let inputs = &sample.inputs;
        scales.fixture.put(&inputs.fixture, &mut features[FIXTURE]);
        edge(HOLDS, places.league(inputs.league), fixture);
        for (side, relation) in [HOME, AWAY].into_iter().enumerate() {
            let team = 2 * fixture + side;
            scales.team.put(&inputs.sides[side], &mut features[TEAM]);
            edge(relation, team, fixture);
            for (rank, key) in inputs.last[side].iter().enumerate() {
                let Some(numbers) = matches.get(*key) else { continue };
                let next = match_rows.len();
                let row = *match_rows.entry(*key).or_insert_with(|| {
                    scales.matches.put(numbers, &mut features[MATCH]);
                    next
                });
                edge(if rank < RECENT { RECENTLY } else { EARLIER }, row, team);
            }
        }
        for (book, numbers) in &inputs.quotes {
            scales.quote.put(numbers, &mut features[QUOTE]);
            edge(MAKES, places.book(*book), quotes);
            edge(PRICES, quotes, fixture);
            quotes += 1;
        }
        rows.push(target(sample, *role, teaching));
    }
    features[LEAGUE] = (0..LEAGUES_MAX).flat_map(league).collect();
    features[BOOK] = (0..BOOKS_MAX).flat_map(book).collect();
    let n = samples.len();
    let counts = vec![n, 2 * n, LEAGUES_MAX, BOOKS_MAX, quotes, match_rows.len()];
    Problem { counts, features, edges, target_type: FIXTURE, rows }
}

/// What should come out for one sample.
fn target(sample: &Sample, role: Role, teaching: Teaching) -> TargetRow {
    let row = TargetRow { role, base: sample.base, ..TargetRow::default() };
    let Some(score) = sample.score else { return TargetRow { role: Role::Context, ..row } };
    let share = teaching.outcome_share as f32;
    let happened: usize = usize::from(score[0] <= score[1]) + usize::from(score[0] < score[1]);
    let outcome: [f32; 3] = std::array::from_fn(|at| if at == happened { 1.0 } else { 0.0 });
    let goals = score.map(f32::from);
    if !teaching.odds {
        let rates = train::Rates { base: sample.rates, truth: goals };
        return TargetRow { weight: 1.0, truth: outcome, rates: Some(rates), ..row };
    }
    let Some(closed) = sample.closed else { return TargetRow { role: Role::Context, ..row } };
    let base = train::coordinates(sample.base);
    let by = [0, 1].map(|at| (closed[at] - base[at]).clamp(-MOVE_MAX, MOVE_MAX));
    let close = probabilities(train::moved(sample.base, by));
    // Which side won says something beside where the line closed. Whether it was a draw says nothing
    // that can be heard: draws' lines move a third as far and one match is as loud.
    let decided = 1.0 - close[1];
    let happened = match happened {
        0 => [decided, close[1], 0.0],
        1 => close,
        _ => [0.0, close[1], decided],
    };
    let mix = |a: f32, b: f32| (1.0 - share) * a + share * b;
    let rates = sample.closed_rates.map(|rates| train::Rates {
        base: sample.rates,
        truth: std::array::from_fn(|at| mix(rates[at].exp(), goals[at])),
    });
    TargetRow {
        weight: 1.0,
        truth: std::array::from_fn(|at| mix(close[at], happened[at])),
        closing: Some(by),
        rates,
        ..row
    }
}

/// Moves beyond this, by coordinate, count as this: some prices are typed wrong.
const MOVE_MAX: f32 = 1.0;

/// Probabilities of logs.
pub(crate) fn probabilities(logs: [f32; 3]) -> [f32; 3] {
    let most = logs.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let p = logs.map(|log| (log - most).exp());
    let sum: f32 = p.iter().sum();
    p.map(|p| p / sum)
}
