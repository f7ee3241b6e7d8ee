//! What the form pricer promises, on a season made for the purpose.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

mod common;

use common::{Season, Seen, kick_off, league, miss};
use model::form::{Config, FormPricer};
use model::{Error, Pricer};
use schema::Span;
use tideline_model as model;

fn season() -> Season<FormPricer> {
    season_with(Config { outcome_share: 0.0, ..Config::default() })
}

fn season_with(config: Config) -> Season<FormPricer> {
    Season::new(FormPricer::new(config).unwrap())
}

/// Every match is drawn and every line closes where it was: only what happened can teach that.
#[test]
fn what_happens_counts_beside_the_close() {
    let draws = |outcome_share| {
        let mut season = season_with(Config { outcome_share, ..Config::default() });
        for round in 0..120 {
            season.round(round);
        }
        let seen = season.round(120);
        let draw = |seen: &Seen| seen.price.unwrap().probabilities[1].as_f64();
        seen.iter().map(draw).sum::<f64>() / seen.len() as f64
    };
    let (none, some) = (draws(0.0), draws(0.2));
    assert!((none - 0.28).abs() < 0.005, "{none}");
    assert!(some > none + 0.02, "{some} {none}");
}

#[test]
fn it_learns_that_shots_move_lines() {
    let mut season = season();
    for round in 0..120 {
        season.round(round);
    }
    let seen: Vec<Seen> = (120..140).flat_map(|round| season.round(round)).collect();
    let opened = miss(&seen, |seen| seen.as_of.consensus[0].as_f64());
    let priced = miss(&seen, |seen| seen.price.unwrap().probabilities[0].as_f64());
    assert!(priced < 0.3 * opened, "{priced} {opened}");
}

#[test]
fn before_it_has_learned_enough_it_is_the_market_pricer() {
    let mut season = season();
    let mut market = model::market::MarketPricer::new(model::market::Config::default()).unwrap();
    for round in 0..20 {
        for seen in season.round(round) {
            let expected = market.price(&seen.as_of, league(), seen.as_of.updated_at);
            assert_eq!(seen.price, expected, "round {round}");
            market.learn(&seen.as_of, &seen.closing, league());
        }
        let artifact = market.close_window(kick_off(round).plus(Span::days(3))).unwrap();
        market.go_live(&artifact, &format!("round {round}")).unwrap();
    }
}

#[test]
fn a_saved_state_goes_on_the_same() {
    let mut season = season();
    for round in 0..110 {
        season.round(round);
    }
    let mut other = Season { fixtures: season.fixtures, ..self::season() };
    other.pricer.load(&season.pricer.save().unwrap()).unwrap();
    for round in 110..115 {
        let prices = |seen: Vec<Seen>| seen.iter().map(|s| s.price).collect::<Vec<_>>();
        assert_eq!(prices(season.round(round)), prices(other.round(round)), "round {round}");
    }
}

#[test]
fn nonsense_is_refused_and_the_live_model_stays() {
    let mut season = season();
    for round in 0..100 {
        season.round(round);
    }
    let live = season.pricer.model().to_owned();
    assert!(matches!(season.pricer.go_live(b"{", "x"), Err(Error::Artifact { .. })));
    let wrong = br#"{"layout":1,"market":"{}","side":[1.0],"draw":[]}"#;
    assert!(matches!(season.pricer.go_live(wrong, "x"), Err(Error::Layout { .. })));
    assert!(season.pricer.load(b"[]").is_err());
    assert_eq!(season.pricer.model(), live);
    let nonsense = Config { half_life: Span::from_ms(0), ..Config::default() };
    assert!(matches!(FormPricer::new(nonsense), Err(Error::Setting { .. })));
}
