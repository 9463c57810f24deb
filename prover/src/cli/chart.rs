//! Charts of measurements, as SVG.

use std::fmt::Write;

use super::bench::Measured;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 84.0;
const BAR: f64 = 30.0;
const STEP: f64 = 50.0;

/// The stages, their colours, and where their seconds are.
type Stage = (&'static str, &'static str, fn(&Measured) -> f64);
const STAGES: [Stage; 4] = [
    ("execute", "#6c757d", |measured| measured.seconds.execute),
    ("leaf proofs", "#2a6f97", |measured| measured.seconds.leaf),
    ("aggregation", "#e07a1f", |measured| measured.seconds.aggregate),
    ("verify and settle", "#4c956c", |measured| measured.seconds.verify + measured.seconds.settle),
];

/// One bar for each batch size: its seconds, stage after stage.
pub fn seconds_by_stage(results: &[Measured], hardware: &str) -> String {
    let height = TOP + STEP * results.len() as f64 + 50.0;
    let total = |measured: &Measured| STAGES.iter().map(|(_, _, seconds)| seconds(measured)).sum::<f64>();
    let most = results.iter().map(total).fold(0.0, f64::max);
    let tick = tick(most);
    let end = (most / tick).ceil().max(1.0) * tick;
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * seconds / end;
    let bottom = TOP + STEP * results.len() as f64;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"17\">Seconds from signed batches to settled proof</text>\n\
         <text x=\"16\" y=\"46\" fill=\"#555555\">{}</text>\n",
        escape(hardware)
    );
    // Writing to a string can't fail.
    let mut add = |text: String| {
        // Writing to a string can't fail.
        let _ = writeln!(svg, "{text}");
    };
    for (place, (name, colour, _)) in STAGES.iter().enumerate() {
        let at = 16.0 + 150.0 * place as f64;
        add(format!("<rect x=\"{at}\" y=\"58\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"));
        add(format!("<text x=\"{}\" y=\"69\">{name}</text>", at + 18.0));
    }
    let ticks = (end / tick).round() as usize;
    for number in 0..=ticks {
        let seconds = tick * number as f64;
        let at = x(seconds);
        add(format!("<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>"));
        add(format!(
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555555\">{seconds} s</text>",
            bottom + 20.0
        ));
    }
    for (place, measured) in results.iter().enumerate() {
        let y = TOP + STEP * place as f64 + (STEP - BAR) / 2.0;
        let middle = y + BAR / 2.0 + 4.0;
        add(format!(
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{} x {} ({})</text>",
            LEFT - 10.0,
            measured.batches,
            measured.transfers,
            measured.size_class
        ));
        let mut from = 0.0;
        for (name, colour, seconds) in STAGES {
            let taken = seconds(measured);
            add(format!(
                "<rect x=\"{:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"><title>{name}: \
                 {taken:.2} s</title></rect>",
                x(from),
                x(from + taken) - x(from)
            ));
            from += taken;
        }
        add(format!("<text x=\"{:.1}\" y=\"{middle}\">{from:.1} s</text>", x(from) + 8.0));
    }
    svg.push_str("</svg>\n");
    svg
}

/// A round distance between about five marks.
fn tick(most: f64) -> f64 {
    let rough = (most / 5.0).max(0.01);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0);
    step * power
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round() {
        assert_eq!((tick(4.0), tick(31.0), tick(240.0)), (1.0, 10.0, 50.0));
    }

    #[test]
    fn text_is_escaped() {
        assert!(seconds_by_stage(&[], "<a & b>").contains("&lt;a &amp; b&gt;"));
    }
}
