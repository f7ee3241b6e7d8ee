//! Settings read back as written, and nonsense is refused with the range.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use tideline_lenses::{Config, EXAMPLE, Error, LensConfig, Panel};

#[test]
fn defaults_survive_json() {
    let text = serde_json::to_string(&Config::default()).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), Config::default());
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
}

#[test]
fn the_examples_are_the_defaults() {
    assert_eq!(serde_saphyr::from_str::<Config>(EXAMPLE).unwrap(), Config::default());
    for (example, default) in LensConfig::examples().into_iter().zip(LensConfig::all()) {
        assert_eq!(serde_saphyr::from_str::<LensConfig>(example).unwrap(), default, "{example}");
    }
}

#[test]
fn every_lens_names_itself_as_the_registry_does() {
    for (config, name) in LensConfig::all().iter().zip(LensConfig::names()) {
        assert_eq!(config.open().unwrap().name(), name);
        let json = serde_json::to_value(config).unwrap();
        assert_eq!(json["type"], name);
    }
}

#[test]
fn unknown_keys_are_refused() {
    for text in [
        r#"{"edge_minimum": 0.02}"#,
        r#"{"caps": {"bets": 0.02}}"#,
        r#"{"panel": [{"type": "moat", "colour": 3}]}"#,
        r#"{"panel": [{"type": "crystal_ball"}]}"#,
    ] {
        assert!(serde_json::from_str::<Config>(text).is_err(), "{text}");
    }
}

#[test]
fn figures_out_of_range_are_refused() {
    let broken = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Panel::open(&config).unwrap_err()
    };
    assert_eq!(
        broken(|c| c.kelly_fraction = 1.5).to_string(),
        "lenses: kelly_fraction is 1.5; give a number from 0 to 1"
    );
    assert!(matches!(broken(|c| c.caps.day = -0.1), Error::Setting { name: "caps.day", .. }));
    assert!(matches!(broken(|c| c.edge_min = f64::NAN), Error::Setting { .. }));
    assert_eq!(broken(|c| c.panel.clear()), Error::Empty);
    assert_eq!(
        broken(|c| c.panel = [LensConfig::all(), LensConfig::all()].concat()),
        Error::Twice("margin_of_safety")
    );
}
