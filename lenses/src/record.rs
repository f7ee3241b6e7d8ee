//! The track record: what became of past bets and forecasts, as integer sums.
//!
//! A correction takes the old figures out and puts the new ones in. Sums of integers come back to
//! exactly where they were, so a record that saw a wrong result and its correction equals one that
//! had always known the truth.

use std::collections::BTreeMap;

use schema::{BookRole, LeagueId, LensReading, MarketKind, Odds, SELECTIONS_MAX};
use serde::{Deserialize, Serialize};

use crate::weights::{LENSES_MAX, LensSums, Weights};
use crate::{Learning, LensConfig};

/// Millionths in one: the unit of every sum here.
const MICROS: f64 = 1e6;
/// Largest closing line value or unit profit recorded, in millionths (odds are at most 100,000).
const MICROS_MAX: f64 = 1e11;
/// Equal-width bins of the reliability counts.
const BINS: usize = 10;

/// A band of odds, because books price favourites and outsiders differently.
///
/// | band | 0 | 1 | 2 | 3 | 4 | 5 |
/// |---|---|---|---|---|---|---|
/// | odds below | 1.5 | 2 | 3 | 5 | 10 | any |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OddsBand(pub u8);

impl OddsBand {
    const BELOW: [u32; 5] = [15_000, 20_000, 30_000, 50_000, 100_000];

    /// The band these odds fall in.
    pub fn of(odds: Odds) -> Self {
        Self(Self::BELOW.iter().take_while(|below| odds.scaled() >= **below).count() as u8)
    }
}

/// What kind of bet it is: bets of one kind share a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BetKind {
    /// The kind of market.
    pub market: MarketKind,
    /// The band of the odds.
    pub band: OddsBand,
    /// The kind of venue.
    pub role: BookRole,
}

impl BetKind {
    /// The kind of a bet at these odds.
    pub fn of(market: MarketKind, odds: Odds, role: BookRole) -> Self {
        Self { market, band: OddsBand::of(odds), role }
    }
}

/// One settled bet as the record counts it. Keep it: taking it out again needs the same figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledBet {
    /// What kind of bet it was.
    pub kind: BetKind,
    clv_micros: Option<i64>,
    pnl_micros: i64,
    log_scores_milli: [i32; LENSES_MAX],
}

impl SettledBet {
    /// A bet with its closing line value (none when the line never closed), its profit per unit
    /// staked, and what the lenses said when it was issued.
    pub fn new(
        kind: BetKind,
        clv: Option<f64>,
        pnl_per_unit: f64,
        readings: &[LensReading],
    ) -> Self {
        let mut log_scores_milli = [0; LENSES_MAX];
        for (slot, name) in log_scores_milli.iter_mut().zip(LensConfig::names()) {
            if let Some(reading) = readings.iter().find(|reading| reading.lens == name) {
                *slot = Weights::log_score_milli(reading.score);
            }
        }
        Self {
            kind,
            clv_micros: clv.map(micros),
            pnl_micros: micros(pnl_per_unit),
            log_scores_milli,
        }
    }

    /// Its closing line value, as recorded.
    pub fn clv(&self) -> Option<f64> {
        self.clv_micros.map(|clv| clv as f64 / MICROS)
    }
}

/// Rounds to millionths within bounds that keep every sum exact; NaN counts as zero.
fn micros(x: f64) -> i64 {
    (x * MICROS).round().clamp(-MICROS_MAX, MICROS_MAX) as i64
}

/// The record of one kind of bet.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BetRecord {
    /// Settled bets.
    pub bets: u32,
    /// Those with a closing line.
    pub clv_bets: u32,
    /// Mean closing line value; 0 with none.
    pub clv_mean: f64,
    /// Standard deviation of the closing line value; 0 with fewer than two.
    pub clv_sd: f64,
    /// Mean profit per unit staked; 0 with none.
    pub pnl_mean: f64,
}

/// How well a league and market are known.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct LeagueStanding {
    /// Fixtures whose forecast met its result.
    pub fixtures: u32,
    /// Expected calibration error: mean distance between forecast and frequency over ten bins.
    pub calibration_error: f64,
    /// What a perfectly calibrated forecast of as many fixtures would show by chance.
    pub calibration_floor: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct BetSums {
    bets: i64,
    clv_bets: i64,
    clv_micros: i64,
    clv_squared: i128,
    pnl_micros: i64,
}

impl BetSums {
    fn add(&mut self, bet: &SettledBet, sign: i64) {
        self.bets += sign;
        self.pnl_micros += sign * bet.pnl_micros;
        if let Some(clv) = bet.clv_micros {
            self.clv_bets += sign;
            self.clv_micros += sign * clv;
            self.clv_squared += i128::from(sign) * i128::from(clv) * i128::from(clv);
        }
    }

    fn view(&self) -> BetRecord {
        let n = self.clv_bets as f64;
        let mean = if self.clv_bets > 0 { self.clv_micros as f64 / n } else { 0.0 };
        let spread = self.clv_squared as f64 - n * mean * mean;
        let sd = if self.clv_bets > 1 { (spread.max(0.0) / (n - 1.0)).sqrt() } else { 0.0 };
        let pnl = if self.bets > 0 { self.pnl_micros as f64 / self.bets as f64 } else { 0.0 };
        BetRecord {
            bets: count(self.bets),
            clv_bets: count(self.clv_bets),
            clv_mean: mean / MICROS,
            clv_sd: sd / MICROS,
            pnl_mean: pnl / MICROS,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Calibration {
    fixtures: i64,
    forecasts: [i64; BINS],
    probability_micros: [i64; BINS],
    variance_micros: [i64; BINS],
    hits: [i64; BINS],
}

impl Calibration {
    fn add(&mut self, fair: &[f64], outcome: usize, sign: i64) {
        self.fixtures += sign;
        for (selection, p) in fair.iter().enumerate().take(SELECTIONS_MAX) {
            let p = p.clamp(0.0, 1.0);
            let bin = ((p * BINS as f64) as usize).min(BINS - 1);
            self.forecasts[bin] += sign;
            self.probability_micros[bin] += sign * micros(p);
            self.variance_micros[bin] += sign * micros(p * (1.0 - p));
            self.hits[bin] += sign * i64::from(selection == outcome);
        }
    }

    /// The floor is the mean absolute value of a normal variable with the bin's binomial variance,
    /// `sqrt(2 / pi x sum p(1-p))`, summed over bins like the error itself.
    fn view(&self) -> LeagueStanding {
        let n: i64 = self.forecasts.iter().sum();
        if n <= 0 {
            return LeagueStanding { fixtures: count(self.fixtures), ..LeagueStanding::default() };
        }
        let (mut error, mut floor) = (0.0, 0.0);
        for bin in 0..BINS {
            let expected = self.probability_micros[bin] as f64 / MICROS;
            let variance = (self.variance_micros[bin] as f64 / MICROS).max(0.0);
            error += (expected - self.hits[bin] as f64).abs();
            floor += (2.0 / std::f64::consts::PI * variance).sqrt();
        }
        LeagueStanding {
            fixtures: count(self.fixtures),
            calibration_error: error / n as f64,
            calibration_floor: floor / n as f64,
        }
    }
}

fn count(n: i64) -> u32 {
    u32::try_from(n.max(0)).unwrap_or(u32::MAX)
}

/// Everything that past bets and forecasts teach the lenses.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrackRecord {
    #[serde(with = "pairs")]
    kinds: BTreeMap<BetKind, BetSums>,
    #[serde(with = "pairs")]
    leagues: BTreeMap<(LeagueId, MarketKind), Calibration>,
    lenses: LensSums,
}

impl TrackRecord {
    /// Counts a settled bet. Void bets are not counted.
    pub fn settled(&mut self, bet: &SettledBet) {
        self.count_bet(bet, 1);
    }

    /// Takes a bet out again, exactly: its settlement was withdrawn.
    pub fn unsettled(&mut self, bet: &SettledBet) {
        self.count_bet(bet, -1);
    }

    /// Replaces a bet by what it turned out to be.
    pub fn restated(&mut self, before: &SettledBet, after: &SettledBet) {
        self.unsettled(before);
        self.settled(after);
    }

    fn count_bet(&mut self, bet: &SettledBet, sign: i64) {
        let sums = self.kinds.entry(bet.kind).or_default();
        sums.add(bet, sign);
        debug_assert!(
            sums.bets >= 0 && sums.clv_bets >= 0,
            "a bet was taken out that never was in"
        );
        if *sums == BetSums::default() {
            self.kinds.remove(&bet.kind);
        }
        if let Some(clv) = bet.clv_micros {
            self.lenses.add(&bet.log_scores_milli, clv > 0, sign);
        }
    }

    /// Counts a forecast that met its outcome: fair probabilities by selection, and which one won.
    pub fn forecast(&mut self, league: LeagueId, kind: MarketKind, fair: &[f64], outcome: usize) {
        self.count_forecast(league, kind, fair, outcome, 1);
    }

    /// Takes a forecast out again, exactly: its result was corrected or voided.
    pub fn unforecast(&mut self, league: LeagueId, kind: MarketKind, fair: &[f64], outcome: usize) {
        self.count_forecast(league, kind, fair, outcome, -1);
    }

    fn count_forecast(
        &mut self,
        league: LeagueId,
        kind: MarketKind,
        fair: &[f64],
        outcome: usize,
        sign: i64,
    ) {
        let sums = self.leagues.entry((league, kind)).or_default();
        sums.add(fair, outcome, sign);
        debug_assert!(sums.fixtures >= 0, "a forecast was taken out that never was in");
        if *sums == Calibration::default() {
            self.leagues.remove(&(league, kind));
        }
    }

    /// The record of a kind of bet; all zeros when there is none.
    pub fn bets(&self, kind: BetKind) -> BetRecord {
        self.kinds.get(&kind).map(BetSums::view).unwrap_or_default()
    }

    /// The standing of a league and market; all zeros when nothing has been forecast there.
    pub fn league(&self, league: LeagueId, kind: MarketKind) -> LeagueStanding {
        self.leagues.get(&(league, kind)).map(Calibration::view).unwrap_or_default()
    }

    /// Settled bets in all.
    pub fn bets_settled(&self) -> u32 {
        count(self.kinds.values().map(|sums| sums.bets).sum())
    }

    /// The weights of the lenses: equal until enough bets have a closing line, then learned. A pure
    /// function of the sums, so it does not matter in which order the bets settled.
    pub fn weights(&self, learning: &Learning) -> Weights {
        self.lenses.fit(learning)
    }
}

/// Maps with compound keys as lists of pairs, which JSON can carry too.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
