//! The house rules, read from the tree: which room may use which, names, sizes, promises.
//!
//! Nothing of the host is used here: only its text. Every rule stands in a file below `tidy/`,
//! with samples that prove that it fires. `cargo test --release --test tidy` asks all of them.

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/named.rs"]
mod named;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/size.rs"]
mod size;
#[path = "tidy/text.rs"]
mod text;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use tree::{files, must_be_none};

#[test]
fn a_room_uses_only_the_rooms_that_the_table_allows() {
    must_be_none(rooms::check(files()));
}

#[test]
fn every_rust_file_says_first_what_it_is() {
    must_be_none(text::check_first_lines(files()));
}

#[test]
fn no_name_is_a_word_that_says_nothing() {
    must_be_none(words::check_names(files()));
}

#[test]
fn nothing_is_left_for_later_and_no_debugging_stays() {
    must_be_none(words::check_leftovers(files()));
}

#[test]
fn long_files_and_functions_are_listed_and_only_shrink() {
    must_be_none(size::check(files()));
}

#[test]
fn every_example_job_and_guest_is_named_by_a_test() {
    must_be_none(named::check_folders(files()));
}

#[test]
fn every_error_code_has_a_text_to_explain_it() {
    must_be_none(named::check_codes(files()));
}

#[test]
fn no_line_is_longer_than_a_hundred_columns() {
    must_be_none(text::check_columns(files()));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    must_be_none(text::check_places(files()));
}
