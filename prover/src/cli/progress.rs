//! Progress of long work on standard error: bars on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where a command's progress is shown.
#[derive(Clone, Debug)]
pub struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl Progress {
    /// Progress for people; none of it when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self { bars, quiet }
    }

    /// A line that stays.
    pub fn note(&self, text: impl AsRef<str>) {
        match &self.bars {
            _ if self.quiet => {}
            // A terminal that can't be written to shows nothing, and that is all.
            Some(bars) => drop(bars.println(text)),
            None => drop(writeln!(std::io::stderr(), "{}", text.as_ref())),
        }
    }

    /// A piece of work whose length isn't known.
    pub fn work(&self, name: &str) -> Work {
        self.start(name, "{spinner} {prefix}: {wide_msg} {elapsed}", false)
    }

    /// A piece of work that tells its percentage.
    pub fn percentage(&self, name: &str) -> Work {
        self.start(name, "{prefix:24} [{bar:30}] {percent:>3}% {wide_msg} {elapsed}", true)
    }

    fn start(&self, name: &str, template: &str, percentage: bool) -> Work {
        let bar = self.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ");
            let bar = if percentage { ProgressBar::new(100) } else { ProgressBar::new_spinner() };
            let bar = bars.add(bar.with_style(style).with_prefix(name.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Work {
            progress: self.clone(),
            name: name.to_owned(),
            bar,
            started: Instant::now(),
            shown: Mutex::default(),
        }
    }
}

/// Work in progress.
#[derive(Debug)]
pub struct Work {
    progress: Progress,
    name: String,
    bar: Option<ProgressBar>,
    started: Instant,
    /// The last line where there are no bars.
    shown: Mutex<String>,
}

impl Work {
    /// What is going on, and how much of it is done.
    pub fn update(&self, percent: Option<u32>, message: &str) {
        if let Some(bar) = &self.bar {
            if let Some(percent) = percent {
                bar.set_position(percent.into());
            }
            bar.set_message(message.to_owned());
            return;
        }
        let line = match percent {
            Some(percent) => format!("{}: {percent}% {message}", self.name),
            None => format!("{}: {message}", self.name),
        };
        let mut shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *shown != line {
            self.progress.note(&line);
            *shown = line;
        }
    }

    /// Ends it with a line that stays.
    pub fn done(self, message: &str) -> Duration {
        let elapsed = self.started.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.note(format!(
            "{}: {message} ({})",
            self.name,
            super::output::seconds(elapsed.as_secs_f64())
        ));
        elapsed
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
