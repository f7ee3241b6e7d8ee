//! The `tests` section: given these facts, expect these suggestions. A topology is a decision about
//! money, so it can carry its own examples of what it is to do; `tideline validate` runs them.
//!
//! ```yaml
//! tests:
//!   - name: a price far above the market is taken
//!     given: |
//!       {"ts":"2024-08-03T09:00:00Z","type":"fixture","league":"L","home":"A","away":"B", ...}
//!       {"ts":"2024-08-03T10:00:00Z","type":"quote","fixture":"...","book":"PS","prices":[2,3.4,4]}
//!     expect:
//!       - { fixture: "L|2024-08-03|A|B", selection: home, book: B365, stake_min: 5 }
//! ```

use std::fmt;

use schema::{Action, Money, Odds, Suggestion};
use serde::{Deserialize, Serialize};

use super::Topology;

/// Most suggestions named when a test fails.
const SHOWN_MAX: usize = 5;

/// One example of what the topology is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it shows, as a sentence.
    pub name: String,
    /// The facts: lines of the JSON lines feed, in the order they arrive. Empty lines and lines
    /// that begin with `#` are left out.
    pub given: String,
    /// Suggestions that must be among those that come of it. An empty list means that nothing may
    /// be issued.
    pub expect: Vec<Expectation>,
}

/// What one suggestion must be like. What is left out may be anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Name of the fixture, `League|YYYY-MM-DD|Home|Away`.
    pub fixture: String,
    /// What happens to the suggestion. Default `issued`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Market with its line, as in `asian_handicap -0.75`. Default `1x2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    /// Selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// Book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub book: Option<String>,
    /// Least stake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stake_min: Option<Money>,
    /// Greatest stake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stake_max: Option<Money>,
    /// Least odds, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odds_min: Option<f64>,
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestOutcome {
    /// Its name.
    pub name: String,
    /// What was missing, when it failed.
    pub failure: Option<String>,
}

impl fmt::Display for TestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(f, "ok    {}", self.name),
            Some(failure) => write!(f, "FAIL  {}: {failure}", self.name),
        }
    }
}

impl Test {
    /// The facts, one a line.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.given.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// What is wrong with the test itself: key, message, help.
    pub(super) fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut found = Vec::new();
        if self.lines().is_empty() {
            found.push((
                "given",
                "the test gives no facts".to_owned(),
                "write one JSON object a line",
            ));
        }
        for (index, line) in self.lines().iter().enumerate() {
            let is_record =
                serde_json::from_str(line).is_ok_and(|value: serde_json::Value| value.is_object());
            if !is_record {
                let message = format!("fact {} is not a JSON object: {:.40}", index + 1, line);
                found.push(("given", message, "write one JSON object a line"));
            }
        }
        let crossed = |e: &&Expectation| e.stake_min.zip(e.stake_max).is_some_and(|(a, b)| a > b);
        if self.expect.iter().any(|expectation| crossed(&expectation)) {
            let message = "no stake is at least stake_min and at most stake_max".to_owned();
            found.push(("expect", message, "swap the two"));
        }
        found
    }

    fn judge(&self, suggestions: &[Suggestion]) -> Option<String> {
        if self.expect.is_empty() {
            let issued = suggestions.iter().find(|s| s.action == Action::Issued)?;
            return Some(format!("expected no suggestion, got {}", describe(issued)));
        }
        let missing = self.expect.iter().find(|e| !suggestions.iter().any(|s| e.holds(s)))?;
        let mut got: Vec<_> = suggestions.iter().take(SHOWN_MAX).map(describe).collect();
        if suggestions.len() > SHOWN_MAX {
            got.push(format!("and {} more", suggestions.len() - SHOWN_MAX));
        }
        let got = if got.is_empty() { "nothing".to_owned() } else { got.join("; ") };
        Some(format!("expected {missing}, got {got}"))
    }
}

impl Expectation {
    fn holds(&self, suggestion: &Suggestion) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        self.fixture == suggestion.fixture
            && self.action.unwrap_or(Action::Issued) == suggestion.action
            && self.market.as_deref().unwrap_or("1x2") == suggestion.market
            && is(&self.selection, &suggestion.selection)
            && is(&self.book, &suggestion.book)
            && self.stake_min.is_none_or(|least| suggestion.stake >= least)
            && self.stake_max.is_none_or(|most| suggestion.stake <= most)
            && self.odds_min.is_none_or(|least| suggestion.odds.decimal() >= least)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.action.unwrap_or(Action::Issued).name();
        write!(f, "{action} {} of {}", self.market.as_deref().unwrap_or("1x2"), self.fixture)?;
        let texts = [("selection", &self.selection), ("book", &self.book)];
        for (key, text) in texts {
            if let Some(text) = text {
                write!(f, ", {key} {text}")?;
            }
        }
        for (key, stake) in [("at least", self.stake_min), ("at most", self.stake_max)] {
            if let Some(stake) = stake {
                write!(f, ", stake {key} {stake}")?;
            }
        }
        self.odds_min.map_or(Ok(()), |least| write!(f, ", odds at least {least}"))
    }
}

fn describe(suggestion: &Suggestion) -> String {
    let Suggestion { action, market, fixture, selection, book, stake, odds, .. } = suggestion;
    let odds: &Odds = odds;
    format!("{} {market} of {fixture}, {selection} at {book} {odds}, stake {stake}", action.name())
}

/// What takes facts through the whole engine under a topology and gives every suggestion message,
/// in order.
pub type Runner<'a, E> = dyn Fn(&Topology, &[String]) -> Result<Vec<Suggestion>, E> + 'a;

impl Topology {
    /// Runs the tests of the topology.
    ///
    /// # Errors
    /// Those of the runner.
    pub fn run_tests<E>(&self, runner: &Runner<'_, E>) -> Result<Vec<TestOutcome>, E> {
        let outcome = |test: &Test| {
            let suggestions = runner(self, &test.lines())?;
            Ok(TestOutcome { name: test.name.clone(), failure: test.judge(&suggestions) })
        };
        self.tests.iter().map(outcome).collect()
    }
}
