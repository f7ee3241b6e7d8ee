//! Tideline turns a stream of odds and results into priced, sized, explained stake suggestions
//! within milliseconds, and takes them back when the facts change.
//!
//! This crate is the engine: [`sequencer`] makes ticks of what the sources hand over, [`journal`]
//! makes them durable, [`engine`] takes each through dataflow, pricer and [`desk`] to the sinks.

pub mod control;
pub mod data_dir;
pub mod dead_letters;
pub mod desk;
pub mod engine;
mod error;
pub mod feeding;
pub mod feeds;
pub mod journal;
pub mod notes;
pub mod registry;
pub mod sequencer;
pub mod setup;
pub mod summary;
pub mod tearsheet;
pub mod topology;
pub mod training;
pub mod views_digest;

pub use error::{Error, Result};
