//! Every component's EXAMPLE reads as what it says it is, and the tables of the docs are made from
//! the registries: adding a component without its row fails here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use lenses::LensConfig;
use model::PricerConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sinks::SinkConfig;
use sources::SourceConfig;

/// Reads an example, writes it, reads that, and gives its type.
fn round_trip<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(
    example: &str,
) -> String {
    let config: T = serde_saphyr::from_str(example).unwrap_or_else(|e| panic!("{example}\n{e}"));
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(serde_json::from_value::<T>(json.clone()).unwrap(), config);
    let misspelt = format!("{}\nnonsense_key: 1\n", example.trim_end());
    assert!(
        serde_saphyr::from_str::<T>(&misspelt).is_err(),
        "an unknown key is refused:\n{misspelt}"
    );
    json["type"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn every_example_reads_as_its_type() {
    for listing in sources::LISTINGS {
        assert_eq!(round_trip::<SourceConfig>(listing.example), listing.type_name);
    }
    for component in sinks::REGISTRY {
        assert_eq!(round_trip::<SinkConfig>(component.example), component.kind);
    }
    for (example, name) in LensConfig::examples().into_iter().zip(LensConfig::names()) {
        assert_eq!(round_trip::<LensConfig>(example), name);
    }
    for (name, _, example) in PricerConfig::listings() {
        assert_eq!(round_trip::<PricerConfig>(example), name);
    }
    round_trip::<lenses::Config>(lenses::EXAMPLE);
}

/// The reference page of components, as the registries have them.
fn components() -> String {
    let mut page = String::from(
        "# Components\n\nMade from the registries by `tests/registry.rs`; `UPDATE_DOCS=1 cargo test --test \
         registry` writes it.\n",
    );
    let mut section = |title: &str, rows: Vec<(String, String, String)>| {
        let _ = write!(page, "\n## {title}\n\n| type | what it is |\n|---|---|\n");
        for (name, summary, _) in &rows {
            let _ = writeln!(page, "| `{name}` | {summary} |");
        }
        for (name, _, example) in &rows {
            let _ = write!(page, "\n`{name}`:\n\n```yaml\n{}\n```\n", example.trim_end());
        }
    };
    let row = |name: &str, summary: &str, example: &str| {
        (name.to_owned(), summary.to_owned(), example.to_owned())
    };
    section(
        "Sources",
        sources::LISTINGS.iter().map(|l| row(l.type_name, l.summary, l.example)).collect(),
    );
    section("Sinks", sinks::REGISTRY.iter().map(|c| row(c.kind, c.summary, c.example)).collect());
    let lenses = LensConfig::names().into_iter().zip(LensConfig::examples());
    section(
        "Lenses",
        lenses.map(|(name, example)| row(name, &name.replace('_', " "), example)).collect(),
    );
    section(
        "Pricers",
        PricerConfig::listings().map(|(name, summary, example)| row(name, summary, example)).into(),
    );
    let _ =
        write!(page, "\n## The `lenses` section\n\n```yaml\n{}\n```\n", lenses::EXAMPLE.trim_end());
    page
}

#[test]
fn the_reference_page_is_what_the_registries_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/components.md");
    let page = components();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        page,
        "write it with UPDATE_DOCS=1"
    );
}
