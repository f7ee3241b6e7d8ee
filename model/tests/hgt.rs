//! What the graph pricer promises, on a season made for the purpose.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

mod common;

use common::{Season, Seen, kick_off, miss};
use model::form::FormPricer;
use model::hgt::{Config, HgtPricer};
use model::{Error, Pricer};
use schema::Span;
use serde_json::Value;
use tideline_model as model;

/// Small, so that trainings take a moment, and without a linear part worth the name, so that there is
/// something to learn.
fn config() -> Config {
    let market = model::market::Config::default();
    let form = model::form::Config { ridge: 1e6, outcome_share: 0.0, market, ..Default::default() };
    Config {
        form,
        members: 2,
        hidden: 8,
        heads: 2,
        layers: 1,
        dropout: 0.0,
        learning_rate: 0.02,
        steps: 60,
        warm_steps: 5,
        fixtures_min: 500,
        validate_fixtures: 100,
        gate_fixtures: 60,
        outcome_share: 0.0,
        ..Config::default()
    }
}

fn season(config: Config) -> Season<HgtPricer> {
    Season::new(HgtPricer::new(config).unwrap())
}

fn prices(seen: &[Seen]) -> Vec<Option<model::Fair>> {
    seen.iter().map(|seen| seen.price).collect()
}

/// The live artifact with something done to it.
fn changed(artifact: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(artifact).unwrap();
    change(&mut value);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn until_a_champion_exists_it_is_the_form_pricer() {
    let config = Config { fixtures_min: 50_000, ..config() };
    let mut form = Season::new(FormPricer::new(config.form.clone()).unwrap());
    let mut season = season(config);
    for round in 0..115 {
        assert_eq!(prices(&season.round(round)), prices(&form.round(round)), "round {round}");
    }
    assert!(form.pricer.metrics().len() < season.pricer.metrics().len());
}

#[test]
fn it_learns_that_shots_move_lines_and_nothing_goes_live_unproved() {
    let mut season = season(config());
    let mut form = Season::new(FormPricer::new(config().form).unwrap());
    for round in 0..130 {
        season.round(round);
        form.round(round);
    }
    let metrics = season.pricer.metrics();
    assert!(metrics["promotions"] >= 1.0, "{metrics:?}");
    assert!(metrics["gate_fixtures"] > 50.0, "{metrics:?}");
    let (mut own, mut linear) = (Vec::new(), Vec::new());
    for round in 130..145 {
        own.extend(season.round(round));
        linear.extend(form.round(round));
    }
    let of = |seen: &Seen| seen.price.unwrap().probabilities[0].as_f64();
    let (own, linear) = (miss(&own, of), miss(&linear, of));
    assert!(own < 0.5 * linear, "{own} {linear}");
}

#[test]
fn a_training_is_named_by_all_it_depends_on_and_comes_to_the_same() {
    let mut season = season(config());
    for round in 0..90 {
        season.round(round);
    }
    let end = kick_off(95);
    let mut train = |end| season.pricer.training(end).unwrap();
    let (one, again, later) = (train(end), train(end), train(end.plus(Span::days(7))));
    assert_eq!(one.key(), again.key());
    assert_ne!(one.key(), later.key());
    let (one, again) = (one.run(&mut |_| {}).unwrap(), again.run(&mut |_| {}).unwrap());
    assert_eq!(one, again);
    let other = Config { seed: 2, ..config() };
    let mut other = self::season(other);
    other.pricer.load(&season.pricer.save().unwrap()).unwrap();
    let (a, b) = (season.pricer.training(end).unwrap(), other.pricer.training(end).unwrap());
    assert_ne!(a.key(), b.key(), "another seed is another training");
}

#[test]
fn a_saved_state_goes_on_the_same() {
    let mut one = season(config());
    for round in 0..95 {
        one.round(round);
    }
    let mut other = Season { fixtures: one.fixtures, ..season(config()) };
    other.pricer.load(&one.pricer.save().unwrap()).unwrap();
    for round in 95..100 {
        assert_eq!(prices(&one.round(round)), prices(&other.round(round)), "round {round}");
    }
}

#[test]
fn tampered_and_half_written_models_are_refused_and_the_live_one_stays() {
    let mut season = season(config());
    for round in 0..90 {
        season.round(round);
    }
    let artifact = season.artifact.clone();
    season.pricer.check(&artifact, "whole").unwrap();
    let live = season.pricer.model().to_owned();
    let weights = |value: &mut Value| {
        let text = value["champion"]["members"][0]["weights"].as_str().unwrap().to_owned();
        value["champion"]["members"][0]["weights"] =
            Value::String(text[..text.len() / 2].to_owned());
    };
    let cases: [(&str, Vec<u8>); 5] = [
        ("half of the weights", changed(&artifact, weights)),
        ("no base64", changed(&artifact, |v| v["champion"]["members"][1]["weights"] = "!".into())),
        (
            "another look at things",
            changed(&artifact, |v| {
                v["champion"]["scales"]["fixture"]["columns"] = Value::Array(vec![]);
            }),
        ),
        ("nobody", changed(&artifact, |v| v["champion"]["members"] = Value::Array(vec![]))),
        ("half of it", artifact[..artifact.len() / 2].to_vec()),
    ];
    for (what, artifact) in cases {
        assert!(season.pricer.check(&artifact, what).is_err(), "{what}");
        assert!(season.pricer.go_live(&artifact, what).is_err(), "{what}");
        assert_eq!(season.pricer.model(), live, "{what}");
    }
    let layout = changed(&artifact, |v| v["layout"] = 99.into());
    assert!(matches!(season.pricer.go_live(&layout, "x"), Err(Error::Layout { .. })));
}

#[test]
fn a_sweep_tries_every_combination_and_says_which_is_best() {
    let grid = model::hgt::Grid {
        learning_rates: vec![0.001, 0.02],
        hiddens: vec![4, 8],
        dropouts: vec![0.0],
    };
    let config = Config { sweep: grid, steps: 20, ..config() };
    let mut season = season(config);
    assert!(season.pricer.sweep(kick_off(1)).is_none(), "nothing is known yet");
    for round in 0..80 {
        season.round(round);
    }
    let mut seen = 0;
    let sweep = season.pricer.sweep(kick_off(81)).unwrap();
    let outcome = sweep.run(&mut |_| seen += 1).unwrap();
    let trials: Vec<model::Trial> = serde_json::from_slice(&outcome).unwrap();
    assert_eq!((trials.len(), seen), (4, 4));
    assert!(trials.windows(2).all(|pair| pair[0].validate_loss <= pair[1].validate_loss));
}

#[test]
fn settings_out_of_range_are_refused() {
    for wrong in [
        Config { learning_rate: 0.0, ..config() },
        Config { fixtures_min: 10, ..config() },
        Config { heads: 3, ..config() },
        Config { outcome_share: 2.0, ..config() },
    ] {
        assert!(HgtPricer::new(wrong).is_err());
    }
}
