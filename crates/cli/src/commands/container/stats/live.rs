//! The table that is shown anew twice a second: a thread for each container reads its reports.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::endpoints::{ContainerStats, ContainerStatsQuery, SystemEvents, SystemEventsQuery};
use api::types::EventMessage;
use client::Client;

use super::figures::{Figures, Row};
use super::{View, running};
use crate::{Failure, Invocation, Outcome, Session};

const REFRESH: Duration = Duration::from_millis(500);
/// Reports come every second: a container that is silent for longer has no figures any more.
const SILENCE: Duration = Duration::from_secs(2);

/// The containers shown, in the order in which they came.
#[derive(Default)]
struct Board {
    lines: Mutex<Vec<Line>>,
}

struct Line {
    row: Row,
    heard: std::time::Instant,
    /// Something has come, be it an error.
    answered: bool,
    error: Option<String>,
    ended: bool,
}

impl Board {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Line>) -> T) -> T {
        act(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// False for one that is there already.
    fn add(&self, name: &str) -> bool {
        let (row, heard) = (Row::new(name, None), std::time::Instant::now());
        self.with(|lines| {
            let new = lines.iter().all(|line| line.row.container != name);
            if new {
                lines.push(Line { row, heard, answered: false, error: None, ended: false });
            }
            new
        })
    }

    fn remove(&self, name: &str) {
        self.with(|lines| lines.retain(|line| line.row.container != name));
    }

    fn change(&self, name: &str, act: impl FnOnce(&mut Line)) {
        self.with(|lines| lines.iter_mut().find(|line| line.row.container == name).map(act));
    }

    fn rows(&self) -> Vec<Row> {
        self.with(|lines| {
            lines
                .iter_mut()
                .map(|line| {
                    if line.heard.elapsed() > SILENCE {
                        line.row.figures = None;
                    }
                    line.row.clone()
                })
                .collect()
        })
    }
}

pub fn run(session: &Session, call: &Invocation, view: &View<'_>) -> Outcome {
    let board = Arc::new(Board::default());
    let client = session.client()?;
    let everything = call.args.is_empty();
    let gone = Arc::new(Mutex::new(None));
    if everything {
        // before the list is asked for: none that comes in between is missed
        follow_events(client, &board, call.is("all"), &gone)?;
        running(session, call.is("all"))?.iter().for_each(|name| follow(client, &board, name));
    } else {
        call.args.iter().for_each(|name| follow(client, &board, name));
    }
    wait_for_first(&board);
    let errors: Vec<String> = board.with(|lines| lines.iter().filter_map(|line| line.error.clone()).collect());
    if !everything && !errors.is_empty() {
        return Err(Failure::new(errors.join("\n")));
    }
    loop {
        session.print(redrawn(&view.render(board.rows())?));
        std::thread::sleep(REFRESH);
        if let Some(why) = gone.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return if why.is_empty() { Ok(0) } else { Err(Failure::new(why)) };
        }
        if !everything && board.with(|lines| lines.iter().all(|line| line.ended)) {
            return Ok(0);
        }
    }
}

/// The text over what stood there: each line erases the rest of its own, the last all below.
fn redrawn(text: &str) -> String {
    let lines: String = text.split('\n').map(|line| format!("{line} \u{1b}[K\n")).collect();
    format!("\u{1b}[H{lines}\u{1b}[J")
}

fn wait_for_first(board: &Board) {
    const STEP: Duration = Duration::from_millis(10);
    let begin = std::time::Instant::now();
    while begin.elapsed() < SILENCE && !board.with(|lines| lines.iter().all(|line| line.answered)) {
        std::thread::sleep(STEP);
    }
}

/// Begins to read the reports of a container.
fn follow(client: &Client, board: &Arc<Board>, name: &str) {
    if !board.add(name) {
        return;
    }
    let (client, board, name) = (client.another(), board.clone(), name.to_owned());
    let reading = move || {
        let error = read(&client, &board, &name).err().map(|error| error.to_string());
        board.change(&name, |line| {
            (line.answered, line.ended, line.row.figures) = (true, true, None);
            line.error = error;
        });
    };
    std::thread::spawn(reading);
}

fn read(client: &Client, board: &Board, name: &str) -> Result<(), client::Error> {
    let query = ContainerStatsQuery { stream: Some(true), one_shot: false };
    for stats in client.stream::<ContainerStats, _>(&[name], &query)? {
        let figures = Figures::of(&stats?);
        board.change(name, |line| {
            (line.answered, line.heard) = (true, std::time::Instant::now());
            line.row.figures = Some(figures);
        });
    }
    Ok(())
}

/// Containers come and go.
fn follow_events(
    client: &Client,
    board: &Arc<Board>,
    all: bool,
    gone: &Arc<Mutex<Option<String>>>,
) -> Result<(), Failure> {
    let mut query = SystemEventsQuery::default();
    query.filters.add("type", "container");
    let events = client.stream::<SystemEvents, EventMessage>(&[], &query)?;
    let (client, board, gone) = (client.another(), board.clone(), gone.clone());
    std::thread::spawn(move || {
        let mut why = String::new();
        for event in events {
            let Ok(event) = event.map_err(|error| why = error.to_string()) else { break };
            let name = crate::output::human::short_id(&event.actor.id);
            match event.action.as_str() {
                "create" if all => follow(&client, &board, name),
                "start" => follow(&client, &board, name),
                "die" if !all => board.remove(name),
                "destroy" => board.remove(name),
                _ => {}
            }
        }
        *gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn drawing_erases() {
        assert_eq!(super::redrawn("a\nb\n"), "\u{1b}[Ha \u{1b}[K\nb \u{1b}[K\n \u{1b}[K\n\u{1b}[J");
    }
}
