//! Runs block-local attention once for each configuration, each between two marks of an instruction counter.
//!
//! `cargo xtask bench --report` counts, and joins one count with each line of this program's output, in order: a JSON object
//! with the configuration, its multiply-accumulates of the choice, of scores and of values, its exponentials, and the ideal
//! number of instructions without them: 16 byte products in an instruction with dot product and 8 without, 8 products
//! of halves or 4 of f32; and the elements of its queries. `attention_counts ROW` runs the line of that number alone, so that a count by functions is of
//! that configuration.

use ocellus_kernels::{BlockAttention, Isa, MapShape, Outputs, PackedTokens, Precision, Tokens};

unsafe extern "C" {
    fn close(descriptor: i32) -> i32;
}

/// `[height, width, heads, d]`.
const MAPS: [[usize; 4]; 2] = [[14, 14, 8, 64], [7, 7, 1, 128]];
const UNIONS: [usize; 5] = [8, 32, 77, 300, 1000];
const BLOCKS: [usize; 3] = [1, 2, 4];
const TOP_KS: [usize; 3] = [4, 8, 16];

fn main() {
    let only: Option<usize> = std::env::args()
        .nth(1)
        .map(|row| row.parse().expect("a row's number"));
    let isa = isa();
    let rows = rows();
    let twin = rows.iter().filter(|row| row.is_held_to_the_twin());
    let all = rows.iter().map(|row| (isa, row));
    let runs = all.chain(twin.map(|row| (Isa::Scalar, row)));
    for (_, (isa, row)) in runs
        .enumerate()
        .filter(|(i, _)| only.is_none_or(|only| only == *i))
    {
        measure(isa, row);
    }
}

struct Row {
    map: [usize; 4],
    tokens: usize,
    /// None is global attention.
    local: Option<(usize, usize)>,
    is_heat: bool,
    precision: Precision,
}

impl Row {
    /// The specification takes long: a few rows say how far it is behind.
    fn is_held_to_the_twin(&self) -> bool {
        let most = match self.precision {
            Precision::Int8 => 300,
            Precision::F32 => 77,
        };
        !self.is_heat && self.tokens <= most && matches!(self.local, None | Some((2, 8)))
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for map in MAPS {
        for tokens in UNIONS {
            for is_heat in [false, true] {
                let row = |local| Row {
                    map,
                    tokens,
                    local,
                    is_heat,
                    precision: Precision::Int8,
                };
                rows.push(row(None));
                for block in BLOCKS {
                    let top_ks = TOP_KS.into_iter().filter(|&top_k| top_k < tokens);
                    rows.extend(top_ks.map(|top_k| row(Some((block, top_k)))));
                }
            }
        }
        for tokens in UNIONS {
            let locals = BLOCKS.map(|block| Some((block, 8)));
            let locals = locals.into_iter().filter(|_| tokens > 8).chain([None]);
            rows.extend(locals.map(|local| Row {
                map,
                tokens,
                local,
                is_heat: false,
                precision: Precision::F32,
            }));
        }
    }
    rows
}

fn measure(isa: Isa, row: &Row) {
    let [height, width, heads, d] = row.map;
    let (cells, elements) = (height * width, heads * d);
    let mut random = Random(7);
    let keys = random.reals(row.tokens * elements);
    let values = random.reals(row.tokens * elements);
    let labels: Vec<u32> = (0..row.tokens as u32).collect();
    let tokens = Tokens {
        shape: [row.tokens, heads, d],
        keys: &keys,
        values: (!row.is_heat).then_some(&values),
        labels: &labels,
        label_count: row.tokens,
        valid: &vec![true; row.tokens],
        always: &vec![false; row.tokens],
        scale: 1.0 / (d as f32).sqrt(),
    };
    let tokens = PackedTokens::new(isa, row.precision, tokens).expect("finite tokens");
    let (block, top_k) = row.local.unwrap_or((1, row.tokens));
    let map = MapShape {
        height,
        width,
        heads,
        d,
    };
    let mut attention = BlockAttention::new(map, [block; 2], top_k, row.tokens);
    let queries = random.reals(cells * elements);
    let mut attended = vec![0.0; cells * elements];
    let mut relevance = vec![0.0; row.tokens * cells];
    let outputs = Outputs {
        attended: (!row.is_heat).then_some(&mut attended),
        relevance: Some(&mut relevance),
    };
    // SAFETY: no file has a negative descriptor; the call fails with EBADF and touches nothing.
    unsafe { close(-77001) };
    let result = attention.run(&tokens, &queries, outputs);
    // SAFETY: as above.
    unsafe { close(-77002) };
    result.expect("finite cells");
    let blocks = height.div_ceil(block) * width.div_ceil(block);
    let choice = match row.local {
        Some(_) => blocks * row.tokens * elements,
        None => 0,
    };
    let scores = cells * top_k * elements;
    let values = if row.is_heat { 0 } else { scores };
    let (precision, per_key, per_value) = match (row.precision, isa.name()) {
        (Precision::F32, _) => ("f32", 4, 4),
        (Precision::Int8, "dotprod") => ("int8", 16, 8),
        (Precision::Int8, _) => ("int8", 8, 4),
    };
    println!(
        r#"{{"isa":"{}","precision":"{precision}","map":"{height}x{width}x{heads}x{d}","tokens":{},"block":{},"top_k":{top_k},"attended":{},"macs_choice":{choice},"macs_scores":{scores},"macs_values":{values},"exponentials":{},"elements":{},"instructions_ideal":{}}}"#,
        isa.name(),
        row.tokens,
        row.local
            .map_or("null".into(), |(block, _)| block.to_string()),
        !row.is_heat,
        cells * heads * top_k,
        cells * elements,
        (choice + scores) / per_key + values / per_value,
    );
}

#[cfg(target_arch = "aarch64")]
fn isa() -> Isa {
    use ocellus_kernels::{DotProd, Neon};
    use std::arch::is_aarch64_feature_detected;
    if is_aarch64_feature_detected!("dotprod") && is_aarch64_feature_detected!("fp16") {
        // SAFETY: both were detected, and they include neon.
        return Isa::DotProd(unsafe { DotProd::assume() });
    }
    // SAFETY: every 64-bit ARM CPU that Linux runs on has neon.
    Isa::Neon(unsafe { Neon::assume() })
}

#[cfg(not(target_arch = "aarch64"))]
fn isa() -> Isa {
    Isa::Scalar
}

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn real(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// A bell shape.
    fn reals(&mut self, len: usize) -> Vec<f32> {
        (0..len)
            .map(|_| (0..4).map(|_| self.real()).sum::<f32>())
            .collect()
    }
}
