//! A line of text in tones, which are colours on a terminal that has them and nothing elsewhere.
use super::text;

/// The visual meaning of a piece of text. No information is in the tone alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Strong,
    Quiet,
    Good,
    Warning,
    Bad,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Strong => Some("1"),
            Tone::Quiet => Some("2"),
            Tone::Good => Some("32"),
            Tone::Warning => Some("33"),
            Tone::Bad => Some("1;31"),
        }
    }

    /// `text` in this tone.
    pub fn paint(self, text: &str, color: bool) -> String {
        match self.code() {
            Some(code) if color && !text.is_empty() => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}

/// Pieces of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    #[must_use]
    pub fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// This line, and `other` behind it.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Like [`Line::with`], two columns further on, if it still fits into `width`; else without it.
    #[must_use]
    pub fn fitting(self, width: usize, tone: Tone, text: &str) -> Self {
        if text.is_empty() || self.width() + 2 + text::width(text) > width {
            return self;
        }
        self.with(Tone::Plain, "  ").with(tone, text)
    }

    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text::width(text)).sum()
    }

    pub fn plain(&self) -> String {
        self.render(false)
    }

    pub fn render(&self, color: bool) -> String {
        self.0.iter().map(|(tone, text)| tone.paint(text, color)).collect()
    }

    /// The line broken between words so that it fits into `width`, with the continuation indented. A word that is wider
    /// than the screen is left to the terminal.
    pub fn wrapped(&self, width: usize) -> Vec<Self> {
        const INDENT: &str = "    ";
        const NARROWEST: usize = 20;
        if width < NARROWEST {
            return vec![self.clone()];
        }
        let mut lines = vec![Self::default()];
        let mut column = 0;
        for (tone, text) in &self.0 {
            for word in text.split_inclusive(' ') {
                let wide = text::width(word.trim_end());
                if column + wide > width && column > INDENT.len() {
                    lines.push(Self::default().with(Tone::Plain, INDENT));
                    column = INDENT.len();
                }
                let line = lines.pop().expect("there is always a line");
                lines.push(line.with(*tone, word));
                column += text::width(word);
            }
        }
        lines.into_iter().map(Self::trimmed).collect()
    }

    /// The line without trailing spaces.
    fn trimmed(mut self) -> Self {
        while let Some((_, text)) = self.0.last_mut() {
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                break;
            }
            self.0.pop();
        }
        self
    }

    /// The line in at most `width` columns.
    #[must_use]
    pub fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut rest = width;
        let mut short = Self::default();
        for (tone, text) in self.0 {
            let piece = text::cut(&text, rest);
            rest -= text::width(&piece);
            let whole = piece == text;
            short = short.with(tone, piece);
            if !whole || rest == 0 {
                break;
            }
        }
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::default().with(Tone::Bad, "FAILED").with(Tone::Plain, "  ").with(Tone::Plain, "a reset at the far end")
    }

    #[test]
    fn lines_break_between_words() {
        let wrapped = |width| line().wrapped(width).iter().map(|line| line.plain()).collect::<Vec<_>>();
        assert_eq!(wrapped(80), ["FAILED  a reset at the far end"]);
        assert_eq!(wrapped(20), ["FAILED  a reset at", "    the far end"]);
        assert_eq!(wrapped(3), ["FAILED  a reset at the far end"]);
    }

    #[test]
    fn a_cut_line_keeps_its_tones() {
        assert_eq!(line().cut(10).render(true), "\u{1b}[1;31mFAILED\u{1b}[0m  a…");
        assert_eq!(line().cut(10).render(false), "FAILED  a…");
    }
}
