//! The tables of `tests/reports/attention.md`: what is reached of the targets, then every row beside its ideal, dense attention,
//! the scalar twin and the other runtimes.

use super::attention::{PER_EXPONENTIAL, PER_SIXTEEN_QUERIES, Peers, Row};
use super::report::{core, head, line};
use crate::cross;

/// The whole file.
pub(super) fn markdown(rows: &[Row], peers: &Peers) -> String {
    let mut text = format!(
        "# Instructions of block-local attention\n\n\
         Made by `cargo xtask bench --report`, or alone by `cargo xtask bench --report-attention`: guest instructions of one call under \
         QEMU's user mode, in thousands; `attention.json` \
         has every figure, `attention_peers.toml` the other runtimes'. A call takes f32 cells, quantizes them, chooses tokens, and \
         writes attended values and relevance in f32; keys and values were packed before. *Ideal* is the products and nothing else: \
         of bytes 16 in an instruction with dot product and 8 without, of values 8 (f16, with dot product) or 4 (f32). *Over ideal* \
         leaves exponentials out, {PER_EXPONENTIAL} instructions for each (twelve for four lanes). *And queries*: the same where the \
         ideal has besides what it takes to make bytes of the cells, {PER_SIXTEEN_QUERIES} instructions for sixteen elements, whatever the \
         union. *Dense over ours*: our own kernel \
         with every cell attending to every token, over the row; *ideals*: the same of both ideals with \
         exponentials and queries, which is as far as it can go. *Scalar over ours*: the specification compiled for the core.\n\n\
         **The others.** {}\n",
        peers.method
    );
    text += &targets(rows, peers);
    let names = peers.names();
    let mut maps: Vec<&str> = rows.iter().map(|row| row.of.map.as_str()).collect();
    maps.sort_unstable();
    maps.dedup();
    let parts = [
        ("int8", true, "values and relevance"),
        ("int8", false, "relevance alone"),
        ("f32", true, "values and relevance, nothing quantized"),
    ];
    for (precision, attended, asked) in parts {
        for cpu in cross::CPUS {
            for map in &maps {
                let shown: Vec<&Row> = rows
                    .iter()
                    .filter(|row| {
                        row.cpu == cpu
                            && row.of.precision == precision
                            && row.of.map == *map
                            && row.of.attended == attended
                            && row.of.isa != "scalar"
                    })
                    .collect();
                if shown.is_empty() {
                    continue;
                }
                text += &format!("\n## {}, {map}, {asked}\n\n", core(cpu));
                text += &table(&shown, rows, peers, if attended { &names } else { &[] });
            }
        }
    }
    text
}

/// How many rows of each core and map reach what the kernels are meant to.
fn targets(rows: &[Row], peers: &Peers) -> String {
    let mut text = "\n## Targets\n\n\
        INT8, values and relevance. *Three times fewer than dense*: of the rows with blocks of 2 x 2 or more and four times \
        as many tokens as a block chooses; behind it, in how many of these the two ideals, with exponentials and queries, are \
        three times apart. *Within the ideal*: \
        at most 2.0 times with dot product, 2.5 without; behind it, with what the queries take added to the ideal. \
        *Fewer than the others*: of all rows, the dense ones included.\n\n"
        .to_owned();
    text += &head(&[
        "core",
        "map",
        "three times fewer than dense",
        "ideals three times apart",
        "within the ideal",
        "within ideal and queries",
        "fewer than the others",
    ]);
    let mut groups: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row.cpu.as_str(), row.of.map.as_str()))
        .collect();
    groups.dedup();
    let mut seen = Vec::new();
    for (cpu, map) in groups {
        if seen.contains(&(cpu, map)) {
            continue;
        }
        seen.push((cpu, map));
        let of_group: Vec<&Row> = rows
            .iter()
            .filter(|row| row.cpu == cpu && row.of.map == map && row.is_measured())
            .collect();
        let local: Vec<&Row> = of_group
            .iter()
            .copied()
            .filter(|row| {
                row.of.block.is_some_and(|side| side >= 2) && row.of.tokens >= 4 * row.of.top_k
            })
            .collect();
        let count = |of: &[&Row], holds: &dyn Fn(&Row) -> bool| {
            format!(
                "{} of {}",
                of.iter().filter(|row| holds(row)).count(),
                of.len()
            )
        };
        let dense = |row: &Row| dense_of(row, rows);
        let limit = |row: &Row| if row.of.isa == "dotprod" { 2.0 } else { 2.5 };
        let is_fewest = |row: &Row| {
            peers.names().iter().all(|name| {
                let peer = peers.instructions(name, cpu, map, row.of.tokens);
                peer.is_none_or(|peer| row.instructions < peer)
            })
        };
        let cells = [
            core(cpu).to_string(),
            map.to_owned(),
            count(&local, &|row| {
                dense(row).is_some_and(|dense| dense.instructions >= 3 * row.instructions)
            }),
            count(&local, &|row| {
                dense(row).is_some_and(|dense| dense.least() >= 3 * row.least())
            }),
            count(&of_group, &|row| row.over_ideal() <= limit(row)),
            count(&of_group, &|row| {
                row.over_ideal_and_queries()
                    .is_some_and(|over| over <= limit(row))
            }),
            count(&of_group, &is_fewest),
        ];
        line(&mut text, &cells);
    }
    text
}

/// The dense row beside a local one.
fn dense_of<'a>(row: &Row, rows: &'a [Row]) -> Option<&'a Row> {
    row.of.block?;
    like(row, rows, &row.of.isa, None, row.of.tokens)
}

/// The row of the same core, map and union with another instruction set, block or choice.
fn like<'a>(
    row: &Row,
    rows: &'a [Row],
    isa: &str,
    block: Option<u64>,
    top_k: u64,
) -> Option<&'a Row> {
    rows.iter().find(|other| {
        other.cpu == row.cpu
            && other.of.precision == row.of.precision
            && other.of.map == row.of.map
            && other.of.tokens == row.of.tokens
            && other.of.attended == row.of.attended
            && other.of.isa == isa
            && (other.of.block, other.of.top_k) == (block, top_k)
    })
}

fn table(shown: &[&Row], rows: &[Row], peers: &Peers, names: &[String]) -> String {
    let others: Vec<String> = names
        .iter()
        .map(|name| format!("{name} over ours"))
        .collect();
    let columns = [
        "tokens",
        "block",
        "top k",
        "ours",
        "exponentials",
        "ideal",
        "over ideal",
        "and queries",
        "dense over ours",
        "ideals",
        "scalar over ours",
    ];
    let columns: Vec<&str> = columns
        .into_iter()
        .chain(others.iter().map(String::as_str))
        .collect();
    let mut text = head(&columns);
    for row in shown {
        let of = &row.of;
        let ratio = |other: Option<u64>| {
            other.map_or("-".to_owned(), |other| {
                format!("{:.2}", other as f64 / row.instructions as f64)
            })
        };
        let thousands = |count: u64| format!("{:.1}", count as f64 / 1e3);
        let dense = dense_of(row, rows);
        let scalar = like(row, rows, "scalar", of.block, of.top_k);
        let over = |ratio: Option<f64>| ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let ideals = dense.map(|dense| dense.least() as f64 / row.least() as f64);
        let mut cells = vec![
            of.tokens.to_string(),
            of.block
                .map_or("all".into(), |side| format!("{side} x {side}")),
            of.top_k.to_string(),
            thousands(row.instructions),
            thousands(PER_EXPONENTIAL * of.exponentials),
            thousands(of.instructions_ideal),
            over(Some(row.over_ideal())),
            over(row.over_ideal_and_queries()),
            ratio(dense.map(|row| row.instructions)),
            over(ideals),
            ratio(scalar.map(|row| row.instructions)),
        ];
        for name in names {
            cells.push(ratio(
                peers.instructions(name, &row.cpu, &of.map, of.tokens),
            ));
        }
        line(&mut text, &cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::attention::Configuration;
    use super::super::counted::joined;
    use super::*;

    fn printed(isa: &str, block: &str, top_k: u64) -> String {
        format!(
            "{{\"isa\":\"{isa}\",\"precision\":\"int8\",\"map\":\"7x7x1x128\",\"tokens\":32,\"block\":{block},\"top_k\":{top_k},\"attended\":true,\
             \"macs_choice\":0,\"macs_scores\":1600,\"macs_values\":1600,\"exponentials\":100,\"elements\":160,\"instructions_ideal\":300}}\n"
        )
    }

    #[test]
    fn a_row_stands_beside_dense_the_scalar_twin_and_the_others() {
        let text = [
            printed("neon", "null", 32),
            printed("neon", "2", 8),
            printed("scalar", "2", 8),
        ]
        .concat();
        let rows = joined("cortex-a72", &text, &[3000, 900, 9000]).unwrap();
        assert_eq!(rows[1].over_ideal(), 2.0);
        let peers = Peers::parse(&format!(
            "method = 'm'\ntokens = [32]\n[[peer]]\nname = 'x'\nversion = '1'\nmap = '7x7x1x128'\n[peer.thousands]\n{}",
            cross::CPUS.map(|cpu| format!("{cpu} = [4]\n")).concat()
        ))
        .unwrap();
        let text = markdown(&rows, &peers);
        let expected =
            "| 32 | 2 x 2 | 8 | 0.9 | 0.3 | 0.3 | 2.00 | 1.25 | 3.33 | 1.00 | 10.00 | 4.44 |";
        assert!(text.contains(expected), "{text}");
        assert!(joined::<Configuration>("cortex-a72", &printed("neon", "2", 8), &[1, 2]).is_err());
    }
}
