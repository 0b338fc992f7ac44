//! A draft of a bundle in memory: its manifest as a table that is added to, and the files it refers to.

use crate::bundle::{self, BundleError, MANIFEST, Manifest};
use std::{collections::BTreeMap, path::Path};
use toml::{Table, Value};

/// The golden vectors' file where the draft does not name one.
const VECTORS: &str = "golden.safetensors";

/// The manifest and the files, in name order.
pub(super) struct Draft {
    table: Table,
    files: BTreeMap<String, Vec<u8>>,
    vectors: String,
}

impl Draft {
    /// # Errors
    /// [`BundleError::Io`] names the file; [`BundleError::Syntax`] a key that is missing, mistyped or none of a manifest's.
    pub fn read(folder: &Path) -> Result<Draft, BundleError> {
        let text = bundle::read_file(folder, MANIFEST, None)?;
        let text = bundle::utf8(&text)?;
        let mut table: Table =
            toml::from_str(text).map_err(|error| BundleError::Syntax(error.to_string()))?;
        table.insert("file".into(), Value::Array(Vec::new()));
        let resolutions = part(&mut table, "image")
            .and_then(|image| image.get("resolutions")?.as_array())
            .map_or(0, Vec::len);
        if let Some(image) = part(&mut table, "image") {
            image.insert("macs".into(), integers(&vec![0; resolutions]));
        }
        if let Some(golden) = part(&mut table, "golden") {
            golden.entry("vectors").or_insert_with(|| VECTORS.into());
        }
        let manifest = parse(&table)?;
        let vectors = manifest.golden.vectors.clone();
        let mut files = BTreeMap::new();
        for (key, name) in manifest.references() {
            bundle::check_name(key, name)?;
            let computed = name == vectors && !folder.join(name).exists();
            if !computed {
                files.insert(name.to_owned(), bundle::read_draft_file(folder, name)?);
            }
        }
        Ok(Draft {
            table,
            files,
            vectors,
        })
    }

    pub fn set_macs(&mut self, macs: Vec<u64>) {
        if let Some(image) = part(&mut self.table, "image") {
            image.insert("macs".into(), integers(&macs));
        }
    }

    pub fn has_vectors(&self) -> bool {
        self.files.contains_key(&self.vectors)
    }

    pub fn set_vectors(&mut self, bytes: Vec<u8>) {
        self.files.insert(self.vectors.clone(), bytes);
    }

    /// The files with the manifest among them, its entries by what they hold.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = self.files.clone();
        // Until they are computed, the vectors are an empty file.
        files.entry(self.vectors.clone()).or_default();
        let entries = files.iter().map(|(name, bytes)| {
            let mut entry = Table::new();
            entry.insert("name".into(), name.as_str().into());
            entry.insert("sha256".into(), bundle::hex_sha256(bytes).into());
            entry.insert("bytes".into(), Value::Integer(bytes.len() as i64));
            Value::Table(entry)
        });
        let mut table = self.table.clone();
        table.insert("file".into(), Value::Array(entries.collect()));
        files.insert(MANIFEST.into(), table.to_string().into_bytes());
        files.into_iter().collect()
    }

    pub fn into_files(self) -> Vec<(String, Vec<u8>)> {
        self.files()
    }
}

/// The manifest as it is so far; its values are checked once its files are known.
fn parse(table: &Table) -> Result<Manifest, BundleError> {
    toml::from_str(&table.to_string()).map_err(|error| BundleError::Syntax(error.to_string()))
}

fn part<'t>(table: &'t mut Table, name: &str) -> Option<&'t mut Table> {
    table.get_mut(name)?.as_table_mut()
}

fn integers(values: &[u64]) -> Value {
    let integer = |&value: &u64| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    Value::Array(values.iter().map(integer).collect())
}
