//! Where an embedding lies: a slot is a row of a panel of a block, and a block is one row of the database.
//!
//! A block's rows are panels as the scan's kernels read them, so that a search packs nothing; its scales are zero where a
//! slot is free. Photos find their slots by number, and a slot that becomes free is the next one to be used.

use crate::error::AlbumError;
use ocellus_kernels::{
    PANEL_ROWS, panel_bytes, panel_row, put_panel_row, quantize_symmetric, row_scale,
};
use rusqlite::{Connection, blob::Blob};
use std::path::Path;

/// Slots of a block.
pub const BLOCK_ROWS: usize = 1024;

/// The most slots: what a query keeps for each of them stays small.
pub const MOST_SLOTS: i64 = 1 << 28;

/// An embedding in INT8, and what makes it one of length one.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `[dimension]`, never -128.
    pub elements: Vec<i8>,
    /// One over the length of the elements; zero of a free slot.
    pub scale: f32,
}

impl Row {
    /// Quantizes an embedding.
    pub fn of(embedding: &[f32]) -> Row {
        let mut elements = vec![0; embedding.len()];
        quantize_symmetric(embedding, &mut elements);
        Row {
            scale: row_scale(&elements),
            elements,
        }
    }

    fn free(dimension: usize) -> Row {
        Row {
            elements: vec![0; dimension],
            scale: 0.0,
        }
    }
}

/// The block of a slot, and the slot's number in it.
fn place(slot: i64) -> (i64, usize) {
    let rows = BLOCK_ROWS as i64;
    (slot.div_euclid(rows), slot.rem_euclid(rows) as usize)
}

/// The bytes of a block's rows.
pub fn block_bytes(dimension: usize) -> usize {
    BLOCK_ROWS / PANEL_ROWS * panel_bytes(dimension)
}

/// The embeddings of an open database.
pub struct Blocks<'a> {
    pub connection: &'a Connection,
    pub path: &'a Path,
    pub dimension: usize,
}

impl Blocks<'_> {
    /// Writes an embedding to a slot, whose block is made where there is none.
    pub fn put(&self, slot: i64, row: &Row) -> Result<(), AlbumError> {
        let (block, at) = place(slot);
        self.of(self.connection.execute(
            "INSERT OR IGNORE INTO block (id, scales, rows) VALUES (?1, zeroblob(?2), zeroblob(?3))",
            (block, 4 * BLOCK_ROWS as i64, block_bytes(self.dimension) as i64),
        ))?;
        let mut rows = self.open("rows", block, false)?;
        let (start, mut panel) = self.panel(&rows, at)?;
        let elements = bytemuck::cast_slice_mut(&mut panel);
        put_panel_row(elements, at % PANEL_ROWS, &row.elements);
        self.of(rows.write_at(&panel, start))?;
        let mut scales = self.open("scales", block, false)?;
        self.of(scales.write_at(&row.scale.to_le_bytes(), 4 * at))
    }

    /// Frees a slot: nothing of its embedding is left.
    pub fn free(&self, slot: i64) -> Result<(), AlbumError> {
        self.put(slot, &Row::free(self.dimension))
    }

    /// The embedding in a slot.
    pub fn get(&self, slot: i64) -> Result<Row, AlbumError> {
        let (block, at) = place(slot);
        let (_, panel) = self.panel(&self.open("rows", block, true)?, at)?;
        let mut row = Row::free(self.dimension);
        let panel = bytemuck::cast_slice(&panel);
        panel_row(panel, at % PANEL_ROWS, &mut row.elements);
        let mut scale = [0; 4];
        let scales = self.open("scales", block, true)?;
        self.of(scales.read_at_exact(&mut scale, 4 * at))?;
        row.scale = f32::from_le_bytes(scale);
        Ok(row)
    }

    /// Where the panel of a slot begins, and its bytes.
    fn panel(&self, rows: &Blob<'_>, at: usize) -> Result<(usize, Vec<u8>), AlbumError> {
        let mut panel = vec![0; panel_bytes(self.dimension)];
        let start = at / PANEL_ROWS * panel.len();
        self.of(rows.read_at_exact(&mut panel, start))?;
        Ok((start, panel))
    }

    fn open(&self, column: &str, block: i64, read_only: bool) -> Result<Blob<'_>, AlbumError> {
        let blob = self
            .connection
            .blob_open("main", "block", column, block, read_only);
        self.of(blob)
    }

    fn of<T>(&self, result: rusqlite::Result<T>) -> Result<T, AlbumError> {
        result.map_err(|error| AlbumError::of(self.path, error))
    }
}
