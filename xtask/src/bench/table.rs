//! A row for people: the figures, and every step against the ideal.

use super::emulated::Row;
use std::fmt::Write;

/// A count in millions, as tables have it.
pub fn millions(instructions: u64) -> String {
    format!("{:.2}", instructions as f64 / 1e6)
}

/// How many times one count is another.
pub fn times(instructions: u64, other: u64) -> String {
    match other {
        0 => "-".to_owned(),
        other => format!("{:.2}", instructions as f64 / other as f64),
    }
}

/// The row as text.
pub fn text(row: &Row) -> String {
    let mut text = String::new();
    let per_ideal = row.macs_per_ideal();
    // Writing to a string cannot fail.
    let mut line = |words: String| writeln!(text, "{words}").unwrap_or(());
    line(format!(
        "{} ({}), {} at {}: millions of instructions",
        row.cpu, row.isa, row.model, row.resolution
    ));
    let camera = row.instructions_camera.map(|count| ("camera", count));
    for (name, count) in [
        ("encode", row.instructions_encode),
        ("from pixels", row.instructions_from_pixels),
        ("total", row.instructions_total),
    ]
    .into_iter()
    .chain(camera)
    .chain([
        ("load", row.instructions_load),
        ("ideal", row.instructions_ideal),
    ]) {
        let ideal = times(count, row.instructions_ideal);
        line(format!(
            "  {name:12} {:>9}  {ideal:>5} x ideal",
            millions(count)
        ));
    }
    line(format!(
        "\n{:>9} {:>7} {:>9} {:>9} {:>8}  step; ideal is {per_ideal} MACs an instruction",
        "M instr", "share", "M MACs", "MACs/ins", "x ideal"
    ));
    for step in &row.steps {
        line(format!(
            "{:>9} {:>5.1} % {:>9} {:>9.2} {:>8}  {} [{}] {}",
            millions(step.instructions),
            step.share * 100.0,
            millions(step.macs),
            step.macs_per_instruction,
            times(step.instructions, step.macs / per_ideal),
            step.op,
            step.kernel,
            step.name
        ));
    }
    let beyond = row.instructions_beyond();
    line(format!(
        "{:>9.2} {:>5.1} %  beyond the steps",
        beyond as f64 / 1e6,
        beyond as f64 / row.instructions_encode.max(1) as f64 * 100.0
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::emulated::tests::made_up;

    #[test]
    fn every_step_stands_against_the_ideal() {
        let text = text(&made_up()[0]);
        assert!(
            text.starts_with("cortex-a76 (dotprod), image.onnx at 112"),
            "{text}"
        );
        let conv = text
            .lines()
            .find(|line| line.ends_with("Conv [k] c"))
            .unwrap();
        assert!(conv.contains("80.0 %") && conv.contains("4.00"), "{conv}");
        assert!(text.contains("5.0 %  beyond the steps"), "{text}");
    }

    #[test]
    fn nothing_is_divided_by_zero() {
        assert_eq!(times(5, 0), "-");
        assert_eq!(times(5, 2), "2.50");
        assert_eq!(millions(48_163_221), "48.16");
    }
}
