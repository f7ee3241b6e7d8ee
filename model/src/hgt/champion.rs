//! A trained transformer, as it is written to the journal, and as it prices.
//!
//! Weights mean something only with the scales and places they were trained with, so these travel
//! together. Pricing goes by the fast path: a fixture's neighbourhood is a few dozen nodes, and none of
//! them needs the graph that the weights were trained on.

use ::hgt::Weights;
use ::hgt::fast::{Cache, Fast, Live, Scratch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schema::Time;
use serde::{Deserialize, Serialize};

use super::inputs::{Inputs, Matches, RECENT};
use super::problem::{
    AWAY, BOOK, EARLIER, FIXTURE, HOLDS, HOME, LEAGUE, MAKES, MATCH, PRICES, Places, QUOTE,
    RECENTLY, Scales, TEAM, book, league,
};

/// One of the networks whose answers are averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// [`Weights::to_bytes`] in base64: floats in decimal would be three times as long.
    pub weights: String,
    /// Factors of the outcome's two coordinates.
    pub calibration: [f32; 2],
}

/// A trained model and all it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Champion {
    /// Trained apart, from different first weights: what they agree on is less of chance.
    pub members: Vec<Member>,
    pub scales: Scales,
    pub places: Places,
    /// End of the window it was trained at.
    pub window_end: Time,
}

impl Member {
    pub fn new(weights: &Weights, calibration: [f32; 2]) -> Self {
        Self { weights: BASE64.encode(weights.to_bytes()), calibration }
    }

    /// Its weights; what is wrong with them otherwise.
    pub fn weights(&self) -> Result<Weights, String> {
        let bytes = BASE64.decode(&self.weights).map_err(|error| error.to_string())?;
        Weights::from_bytes(&bytes).map_err(|error| error.to_string())
    }
}

impl Champion {
    /// Digest of its weights and factors.
    pub fn digest(&self) -> String {
        let numbers: Vec<u8> = self
            .members
            .iter()
            .flat_map(|it| it.weights.bytes().chain(it.calibration.map(f32::to_le_bytes).concat()))
            .collect();
        super::digest([numbers.as_slice()])
    }
}

/// A champion, ready to price.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub champion: Champion,
    members: Vec<(Fast, Cache)>,
}

/// What it says of a fixture: moves along the line's coordinates, and of the logs of the goals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moves {
    pub outcome: [f64; 2],
    pub goals: [f64; 2],
}

impl Ready {
    /// Reads and folds a champion's weights; what is wrong with them otherwise.
    pub fn new(champion: Champion, fixture_width: usize) -> Result<Self, String> {
        let fits = champion.scales.fixture.width() == fixture_width;
        if champion.members.is_empty() || !fits {
            return Err("it looks at another number of features than this program".to_owned());
        }
        let ready = |member: &Member| {
            let weights = member.weights()?;
            if weights.config().node_types.first().map(|it| it.width) != Some(fixture_width) {
                return Err("its weights are for another number of features".to_owned());
            }
            Fast::alone(&weights).map_err(|error| error.to_string())
        };
        let members = champion.members.iter().map(ready).collect::<Result<_, String>>()?;
        Ok(Self { champion, members })
    }

    /// What it says of a fixture.
    pub fn moves(&self, inputs: &Inputs, matches: &Matches) -> Moves {
        let share = 1.0 / self.members.len() as f64;
        let mut moves = Moves::default();
        for ((fast, cache), member) in self.members.iter().zip(&self.champion.members) {
            let Some(outputs) = self.outputs(fast, cache, inputs, matches) else { continue };
            let number = |at: usize| f64::from(outputs.get(at).copied().unwrap_or_default());
            for at in 0..2 {
                moves.outcome[at] += share * number(at) * f64::from(member.calibration[at]);
                moves.goals[at] += share * number(4 + at);
            }
        }
        moves
    }

    /// A member's outputs in their order: outcome, closing, goals. Nothing for what does not fit,
    /// which [`Ready::new`] has ruled out.
    fn outputs(
        &self,
        fast: &Fast,
        cache: &Cache,
        inputs: &Inputs,
        matches: &Matches,
    ) -> Option<Vec<f32>> {
        let Champion { scales, places, .. } = &self.champion;
        let mut builder = fast.neighbourhood(cache).ok()?;
        let scaled = |scale: &super::scale::Scale, row: &[f32]| {
            let mut out = Vec::with_capacity(row.len());
            scale.put(row, &mut out);
            out
        };
        let fixture = builder.add(FIXTURE, &scaled(&scales.fixture, &inputs.fixture)).ok()?;
        let competition = builder.add(LEAGUE, &league(places.league(inputs.league))).ok()?;
        builder.edge(HOLDS, competition, fixture).ok()?;
        for (side, relation) in [HOME, AWAY].into_iter().enumerate() {
            let team = builder.add(TEAM, &scaled(&scales.team, &inputs.sides[side])).ok()?;
            builder.edge(relation, team, fixture).ok()?;
            for (rank, key) in inputs.last[side].iter().enumerate() {
                let Some(numbers) = matches.get(*key) else { continue };
                let node = builder.add(MATCH, &scaled(&scales.matches, numbers)).ok()?;
                let relation = if rank < RECENT { RECENTLY } else { EARLIER };
                builder.edge(relation, node, team).ok()?;
            }
        }
        let mut makers: Vec<(usize, Live)> = Vec::new();
        for (id, numbers) in &inputs.quotes {
            let quote = builder.add(QUOTE, &scaled(&scales.quote, numbers)).ok()?;
            builder.edge(PRICES, quote, fixture).ok()?;
            let place = places.book(*id);
            let known = makers.iter().find(|it| it.0 == place).map(|it| it.1);
            let maker = match known {
                Some(maker) => maker,
                None => builder.add(BOOK, &book(place)).ok()?,
            };
            makers.push((place, maker));
            builder.edge(MAKES, maker, quote).ok()?;
        }
        let mut neighbourhood = builder.finish(fixture).ok()?;
        Some(fast.reprice(&mut Scratch::default(), &mut neighbourhood).to_vec())
    }
}
