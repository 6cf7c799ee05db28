//! Asking from inside a call: the gate has a name, and question and answer are reported.

use crate::error::{Error, Kind, Result};
use crate::event::Fact;
use crate::journal::StepKey;
use crate::runtime::call::Call;
use crate::runtime::gates::Answer;

impl Call<'_> {
    /// Asks, and reports the question and the answer.
    ///
    /// # Errors
    /// Asking was interrupted.
    pub fn ask(&self, gate: &str, question: &str) -> Result<Option<Answer>> {
        self.emit(Fact::GateReached { gate: gate.to_owned(), question: question.to_owned() });
        let answer = self.host.gates.ask(gate, question)?;
        if let Some(Answer { text, by }) = answer.clone() {
            self.emit(Fact::GateAnswered { gate: gate.to_owned(), answer: text, by });
        }
        Ok(answer)
    }

    /// True if asking at this gate gets an answer: somebody is at a terminal, or has answered already.
    pub fn is_attended(&self, gate: &str) -> bool {
        self.host.gates.is_attended(gate)
    }

    /// The error of a gate that nobody has answered.
    pub fn waits_for(&self, gate: &str, question: &str) -> Error {
        let run = self.run();
        let hint = format!("answer it: `coriolis-run answer {run} {gate} yes`, then `coriolis-run resume {run}`");
        Error::new(Kind::NeedsAnswer, format!("gate {gate} waits for an answer: {question}")).hint(hint)
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        self.host.journal.run()
    }

    /// The name of a gate of this call: words and the call's number; in an item also its key and a word for its lane,
    /// so that no answer is taken for another question's.
    pub fn gate(&self, words: &str) -> String {
        let (words, number) = (slug(words), self.number);
        let Some(item) = self.lane.origin.item.as_deref() else { return format!("{words}.{number}") };
        let lane = &blake3::hash(self.lane.origin.lane.as_bytes()).to_hex()[..6];
        format!("{words}.{}.{number}.{lane}", slug(item))
    }

    /// The gate that asks whether this step is sent again; each lost answer has a gate of its own.
    pub fn gate_of_step(&self, key: &StepKey) -> String {
        self.gate_about("repeat", key)
    }

    /// The gate that asks whether an object that was found was made by this step.
    pub fn gate_of_found(&self, key: &StepKey) -> String {
        self.gate_about("found", key)
    }

    fn gate_about(&self, word: &str, key: &StepKey) -> String {
        let rounds = self.host.journal.state().rounds(&key.lane);
        let round = if rounds > 0 { format!("-{rounds}") } else { String::new() };
        format!("{}.{}{round}", self.gate(word), key.step)
    }
}

/// A few words that need no quotes in a shell.
fn slug(text: &str) -> String {
    let words: Vec<String> = text
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(4)
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() { "gate".to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use crate::runtime::asks::slug;

    #[test]
    fn a_gate_is_named_by_its_first_words() {
        assert_eq!(slug("Switch off 12 VMs of wave 1?"), "switch-off-12-vms");
        assert_eq!(slug("?"), "gate");
    }
}
