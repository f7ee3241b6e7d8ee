//! The `model` section, in two ways of writing: `model: { type: hgt, hidden: 64 }` says what
//! `model: { pricer: { type: hgt, hidden: 64 } }` says. The short way is for people; the long one is
//! what is written back.

use std::fmt;

use model::PricerConfig;
use schema::Span;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The `model` section: how fair prices are made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSettings {
    /// Which pricer, and its settings. Default: the market pricer, which needs no training.
    pub pricer: PricerConfig,
    /// Event time between two trainings. Default 7 days.
    pub window: Span,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self { pricer: PricerConfig::default(), window: Span::days(7) }
    }
}

impl<'de> Deserialize<'de> for ModelSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Section)
    }
}

/// Reads the section.
struct Section;

impl<'de> Visitor<'de> for Section {
    type Value = ModelSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a section with `type` and the settings of that pricer, and `window`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<ModelSettings, M::Error> {
        let mut settings = ModelSettings::default();
        let mut pricer = None;
        let mut short = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "window" => settings.window = map.next_value()?,
                "pricer" => pricer = Some(map.next_value()?),
                _ => {
                    let value: Value = map.next_value()?;
                    short.insert(key, value);
                }
            }
        }
        settings.pricer = match (pricer, short.keys().next()) {
            (Some(pricer), None) => pricer,
            (None, None) => settings.pricer,
            (None, Some(_)) if short.contains_key("type") => {
                serde_json::from_value(Value::Object(short)).map_err(M::Error::custom)?
            }
            (_, Some(key)) => {
                return Err(M::Error::unknown_field(key, &["type", "window", "pricer"]));
            }
        };
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ModelSettings, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn both_ways_of_writing_say_the_same() {
        let long = read(r#"{"pricer":{"type":"hgt","hidden":64},"window":"14d"}"#).unwrap();
        let short = read(r#"{"type":"hgt","window":"14d","hidden":64}"#).unwrap();
        assert_eq!(long, short);
        assert_eq!(short.window, Span::days(14));
        assert!(matches!(&short.pricer, PricerConfig::Hgt(it) if it.hidden == 64));
        let written = serde_json::to_string(&short).unwrap();
        assert_eq!(read(&written).unwrap(), short);
        assert_eq!(read("{}").unwrap(), ModelSettings::default());
    }

    #[test]
    fn what_belongs_to_neither_is_refused() {
        for (text, part) in [
            (r#"{"windw":"7d"}"#, "unknown field `windw`"),
            (r#"{"pricer":{"type":"market"},"hidden":64}"#, "unknown field `hidden`"),
            (r#"{"type":"hgt","hiden":64}"#, "unknown field `hiden`"),
            (r#"{"type":"oracle"}"#, "unknown variant `oracle`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
