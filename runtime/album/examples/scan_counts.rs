//! Searches 100 000 rows, each search between two marks of an instruction counter.
//!
//! `cargo xtask bench --report` counts, and joins one count with each line of this program's output, in order: a JSON object
//! with what was done, its multiply-accumulates, and the ideal number of instructions: 16 products in one with dot product and
//! 8 without. `scan` is the kernel and the choice of the best ten over rows in memory, `search` a whole query of an index
//! on the disk, with what SQLite takes. Without an argument for the index's folder there is no `search`.

use ocellus::{Isa, sys::mark};
use ocellus_album::{BLOCK_ROWS, Indexer, Made, Ranking, SearchOptions};
use ocellus_kernels::{PANEL_ROWS, ScanQuery, panel_bytes, put_panel_row, qs8_scan, row_scale};
use std::path::Path;

const ROWS: usize = 100_000;
const TOP: usize = 10;
const DIMENSIONS: [usize; 3] = [128, 384, 512];

fn main() {
    let isa = ocellus::detect_isa();
    for dimension in DIMENSIONS {
        let index = Index::of(dimension);
        mark::begin();
        let best = index.best(isa);
        mark::end();
        assert_eq!(best.len(), TOP);
        print(isa, "scan", dimension);
    }
    if let Some(folder) = std::env::args_os().nth(1) {
        let index = Index::of(DIMENSIONS[0]);
        let path = Path::new(&folder).join("photos.db");
        let made = Made {
            bundle: "counted".into(),
            bundle_sha256: "0".repeat(64),
            dimension: DIMENSIONS[0] as u32,
            resolution: 224,
        };
        let indexer = Indexer::open(&path, &made).expect("a new index");
        index.write(&path);
        let options = SearchOptions {
            top: TOP,
            since: None,
        };
        mark::begin();
        let hits = indexer.album().search(isa, &index.query, &options);
        mark::end();
        let hits = hits.expect("a whole index");
        let slots: Vec<String> = index
            .best(isa)
            .iter()
            .map(|ranked| name(ranked.slot))
            .collect();
        let paths: Vec<String> = hits.into_iter().map(|hit| hit.path).collect();
        assert_eq!(paths, slots);
        print(isa, "search", DIMENSIONS[0]);
    }
}

fn print(isa: Isa, what: &str, dimension: usize) {
    let macs = ROWS * dimension;
    let ideal = match isa.name() {
        "dotprod" => macs / 16,
        _ => macs / 8,
    };
    println!(
        r#"{{"isa":"{}","what":"{what}","rows":{ROWS},"dimension":{dimension},"macs":{macs},"instructions_ideal":{ideal}}}"#,
        isa.name()
    );
}

fn name(slot: i64) -> String {
    format!("/photos/{slot:06}.jpg")
}

/// Rows in memory, block after block, the last one short.
struct Index {
    dimension: usize,
    query: Vec<f32>,
    panels: Vec<i8>,
    scales: Vec<f32>,
}

impl Index {
    fn of(dimension: usize) -> Index {
        let mut random = Random(7);
        let mut panels = vec![0; ROWS / PANEL_ROWS * panel_bytes(dimension)];
        let mut scales = Vec::with_capacity(ROWS);
        let mut row = vec![0; dimension];
        for r in 0..ROWS {
            row.fill_with(|| random.byte());
            let panel = &mut panels[r / PANEL_ROWS * panel_bytes(dimension)..];
            put_panel_row(&mut panel[..panel_bytes(dimension)], r % PANEL_ROWS, &row);
            scales.push(row_scale(&row));
        }
        let query = (0..dimension).map(|_| f32::from(random.byte())).collect();
        Index {
            dimension,
            query,
            panels,
            scales,
        }
    }

    fn blocks(&self) -> impl Iterator<Item = (&[i8], &[f32])> {
        let bytes = BLOCK_ROWS / PANEL_ROWS * panel_bytes(self.dimension);
        self.panels
            .chunks(bytes)
            .zip(self.scales.chunks(BLOCK_ROWS))
    }

    /// As a search does it.
    fn best(&self, isa: Isa) -> Vec<ocellus_album::Ranked> {
        let query = ScanQuery::new(&self.query);
        let mut ranking = Ranking::new(TOP);
        let mut scores = [0.0; BLOCK_ROWS];
        let mut bests = [0.0; BLOCK_ROWS / PANEL_ROWS];
        for (first, (panels, scales)) in (0..).step_by(BLOCK_ROWS).zip(self.blocks()) {
            let scores = &mut scores[..scales.len()];
            let bests = &mut bests[..scales.len() / PANEL_ROWS];
            qs8_scan(isa, &query, panels, scales, scores, bests);
            ranking.offer(first, scores, bests, |at| scales[at] > 0.0);
        }
        ranking.into_best()
    }

    fn write(&self, path: &Path) {
        let mut connection = rusqlite::Connection::open(path).expect("an index");
        let transaction = connection.transaction().expect("nobody else writes");
        for (id, (panels, scales)) in (0_i64..).zip(self.blocks()) {
            let bytes = BLOCK_ROWS / PANEL_ROWS * panel_bytes(self.dimension);
            let mut rows: Vec<u8> = panels.iter().map(|&byte| byte as u8).collect();
            rows.resize(bytes, 0);
            let mut scales: Vec<u8> = scales
                .iter()
                .flat_map(|scale| scale.to_le_bytes())
                .collect();
            scales.resize(4 * BLOCK_ROWS, 0);
            let insert = "INSERT INTO block (id, scales, rows) VALUES (?1, ?2, ?3)";
            transaction
                .execute(insert, (id, scales, rows))
                .expect("a block");
        }
        let insert =
            "INSERT INTO photo VALUES (?1, ?2, 1, 1, x'00', '2024-05-01T00:00:00', 'file')";
        let mut statement = transaction.prepare(insert).expect("the tables are there");
        for slot in 0..ROWS as i64 {
            statement.execute((slot, name(slot))).expect("a photo");
        }
        drop(statement);
        transaction.commit().expect("room");
    }
}

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    /// A bell shape.
    fn byte(&mut self) -> i8 {
        let mut sum = 0;
        for _ in 0..4 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (self.0 >> 56) as i8 as i32;
        }
        (sum / 4).clamp(-127, 127) as i8
    }
}
