//! Which requests came before a barrier.

use std::collections::VecDeque;

/// The number of waiting requests of each generation. Each barrier begins a new generation.
#[derive(Debug)]
pub(super) struct Generations {
    first: u64,
    waiting: VecDeque<usize>,
}

impl Generations {
    pub(super) fn new() -> Self {
        Self { first: 1, waiting: VecDeque::from([0]) }
    }

    /// Whether all requests of a generation and of the earlier ones have been served.
    pub(super) fn is_over(&self, generation: u64) -> bool {
        generation < self.first
    }

    /// Adds one request to the present generation, and returns the generation.
    pub(super) fn add(&mut self) -> u64 {
        if let Some(last) = self.waiting.back_mut() {
            *last += 1;
        }
        self.first + self.waiting.len() as u64 - 1
    }

    /// Removes one request.
    pub(super) fn remove(&mut self, generation: u64) {
        let place = usize::try_from(generation - self.first).unwrap_or(usize::MAX);
        if let Some(waiting) = self.waiting.get_mut(place) {
            *waiting -= 1;
        }
        self.forget_served();
    }

    /// Ends the present generation, and returns it.
    pub(super) fn end(&mut self) -> u64 {
        self.waiting.push_back(0);
        self.forget_served();
        self.first + self.waiting.len() as u64 - 2
    }

    fn forget_served(&mut self) {
        while self.waiting.len() > 1 && self.waiting.front() == Some(&0) {
            self.waiting.pop_front();
            self.first += 1;
        }
    }
}
