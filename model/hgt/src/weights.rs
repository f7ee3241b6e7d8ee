//! Trained weights as plain numbers: what artifacts store and inference without the framework
//! reads.
//!
//! Layout of [`Weights::to_bytes`], little-endian: magic `TLHGTWTS`; version, u32; length of the
//! configuration's JSON, u32; the JSON; the number of parameters, u64; the parameters, f32; CRC-32
//! of everything before it, u32. Sizes follow from the configuration and are checked on loading.

use serde::{Deserialize, Serialize};

use crate::config::Schema;
use crate::{Config, Error, Result};

const MAGIC: &[u8; 8] = b"TLHGTWTS";
/// Version of the layout.
pub const WEIGHTS_VERSION: u32 = 1;
/// Longest configuration that is read.
const CONFIG_BYTES_MAX: usize = 1 << 20;

/// A configuration and every parameter of a model of it.
///
/// Parameters come in one fixed order, each row-major; H is heads, D hidden / heads, W hidden:
/// - `project.weight` (sum of input widths) x W, `project.bias` types x W;
/// - by layer: `kqv.weight` types x W x 3W (keys, queries, values), `kqv.bias` types x 3W,
///   `key_relation` and `value_relation` relations x H x D x D, `prior` relations x H,
///   `out.weight` types x W x W, `out.bias` types x W, `skip` types (before the sigmoid);
/// - by output: weight W x width, bias width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Weights {
    config: Config,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct Unchecked {
    config: Config,
    values: Vec<f32>,
}

impl TryFrom<Unchecked> for Weights {
    type Error = Error;

    fn try_from(it: Unchecked) -> Result<Self> {
        Self::new(it.config, it.values)
    }
}

/// Name and shape of a parameter.
pub(crate) type Named = (String, Vec<usize>);

/// All parameters in order.
pub(crate) fn parameters(schema: &Schema) -> Vec<Named> {
    let (types, relations) = (schema.widths.len(), schema.relations.len());
    let (hidden, heads) = (schema.hidden, schema.heads);
    let width = hidden / heads;
    let mut all: Vec<Named> = vec![
        ("project.weight".into(), vec![schema.widths.iter().sum(), hidden]),
        ("project.bias".into(), vec![types, hidden]),
    ];
    for layer in 0..schema.layers {
        let parts: [(&str, Vec<usize>); 8] = [
            ("kqv.weight", vec![types, hidden, 3 * hidden]),
            ("kqv.bias", vec![types, 3 * hidden]),
            ("key_relation", vec![relations, heads, width, width]),
            ("value_relation", vec![relations, heads, width, width]),
            ("prior", vec![relations, heads]),
            ("out.weight", vec![types, hidden, hidden]),
            ("out.bias", vec![types, hidden]),
            ("skip", vec![types]),
        ];
        all.extend(parts.map(|(name, shape)| (format!("layers.{layer}.{name}"), shape)));
    }
    for (at, (_, width)) in schema.outputs.iter().enumerate() {
        all.push((format!("outputs.{at}.weight"), vec![hidden, *width]));
        all.push((format!("outputs.{at}.bias"), vec![*width]));
    }
    all
}

impl Weights {
    /// Checks sizes and that every number is finite.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Weights`].
    pub fn new(config: Config, values: Vec<f32>) -> Result<Self> {
        let schema = config.schema()?;
        let wanted: usize =
            parameters(&schema).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        if wanted != values.len() {
            return Err(Error::Weights(format!(
                "there are {} numbers and the configuration asks for {wanted}: load them with the \
                 configuration they were trained with",
                values.len()
            )));
        }
        if let Some(at) = values.iter().position(|it| !it.is_finite()) {
            return Err(Error::Weights(format!(
                "number {at} is {}: the training diverged, train again with a lower learning rate",
                values[at]
            )));
        }
        Ok(Self { config, values })
    }

    /// What they belong to.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All parameters, flat, in the order given above.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Name, shape and numbers of every parameter, in order.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>, &[f32])> {
        let Ok(schema) = self.config.schema() else { return Vec::new() };
        let mut at = 0;
        let named = parameters(&schema).into_iter();
        named
            .map(|(name, shape)| {
                let length: usize = shape.iter().product();
                at += length;
                (name, shape, &self.values[at - length..at])
            })
            .collect()
    }

    /// As bytes; see the module for the layout.
    pub fn to_bytes(&self) -> Vec<u8> {
        let config = serde_json::to_vec(&self.config).unwrap_or_default();
        let mut bytes = Vec::with_capacity(config.len() + 4 * self.values.len() + 28);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&WEIGHTS_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(config.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&config);
        bytes.extend_from_slice(&(self.values.len() as u64).to_le_bytes());
        for value in &self.values {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// From [`Weights::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Weights`] for anything cut short, too long, altered or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::Weights(format!("{why}: restore them from a backup or train again")))
        };
        let Some((body, sum)) = bytes.split_last_chunk::<4>() else {
            return refuse("they are cut short");
        };
        if !body.starts_with(MAGIC) {
            return refuse("they do not start like weights");
        }
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return refuse("their checksum does not match");
        }
        let mut reader = Reader(&body[MAGIC.len()..]);
        let version = reader.u32()?;
        if version != WEIGHTS_VERSION {
            return Err(Error::Weights(format!(
                "they are of version {version}, this program reads {WEIGHTS_VERSION}: train again \
                 or use the program that wrote them"
            )));
        }
        let length = reader.u32()? as usize;
        if length > CONFIG_BYTES_MAX {
            return refuse("their configuration is absurdly long");
        }
        let config: Config = serde_json::from_slice(reader.take(length)?)
            .map_err(|it| Error::Weights(format!("their configuration does not read: {it}")))?;
        let count = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        if reader.0.len() % 4 != 0 || reader.0.len() / 4 != count {
            return refuse("they hold another number of parameters than they say");
        }
        let (numbers, _) = reader.0.as_chunks::<4>();
        Self::new(config, numbers.iter().map(|it| f32::from_le_bytes(*it)).collect())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let Some((head, tail)) = self.0.split_at_checked(length) else {
            return Err(Error::Weights("they end too early: restore them or train again".into()));
        };
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}
