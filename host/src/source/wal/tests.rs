//! What is in a log after everything that may happen to it.

use super::*;
use crate::durable::test_kit::{ENOSPC, Fail, SimDisk};

fn open(disk: &SimDisk, generation: u64) -> Result<(Wal, Blocks), SourceError> {
    let store = disk.store(&format!("p{generation}"), 0).unwrap();
    Wal::open(Arc::new(store), "lines", generation)
}

fn block(receiver: u32, number: u64) -> Logged<Vec<u8>> {
    Logged { receiver, number, bytes: format!("line {receiver} {number}\n").into_bytes() }
}

fn large(number: u64) -> Logged<Vec<u8>> {
    Logged { receiver: 0, number, bytes: vec![b'x'; 3 << 20] }
}

fn append(wal: &mut Wal, blocks: &[Logged<Vec<u8>>]) {
    let (done, result) = wal.append(blocks);
    result.unwrap();
    assert_eq!(done, blocks.len());
}

fn problem(disk: &SimDisk, generation: u64) -> String {
    let error = open(disk, generation).err().unwrap();
    assert_eq!(error.code(), "WEIR-SOURCE-014");
    error.to_string()
}

#[test]
fn blocks_come_back_in_order_through_any_number_of_owners() {
    let disk = SimDisk::new(1);
    let mut all = Vec::new();
    for generation in 1..6 {
        let (mut wal, found) = open(&disk, generation).unwrap();
        assert_eq!(found, all);
        let new = [block(0, 2 * generation), block(7, generation), block(0, 2 * generation + 1)];
        append(&mut wal, &new[..2]);
        append(&mut wal, &new[2..]);
        all.extend(new);
        // An owner that received nothing leaves no file.
        drop(open(&disk, generation + 100).unwrap());
    }
    assert_eq!(disk.names().iter().filter(|name| name.contains("wal/")).count(), 5);
}

#[test]
fn segments_are_left_when_they_are_full_and_removed_when_nobody_needs_them() {
    let disk = SimDisk::new(1);
    let (mut wal, _) = open(&disk, 1).unwrap();
    let blocks: Vec<_> = (0..10).map(large).collect();
    append(&mut wal, &blocks);
    let files = || disk.names().into_iter().filter(|name| name.ends_with(".wal")).count();
    assert_eq!(files(), 5);
    wal.clean(&[3]).unwrap();
    assert_eq!(files(), 4);
    assert_eq!(open(&disk, 2).unwrap().1[0].number, 2);
    wal.clean(&[100]).unwrap();
    assert_eq!(files(), 1);
    let (mut wal, found) = open(&disk, 2).unwrap();
    assert_eq!(found.iter().map(|block| block.number).collect::<Vec<_>>(), [8, 9]);
    // One that is larger than a segment has one of its own.
    append(&mut wal, &[Logged { receiver: 0, number: 10, bytes: vec![7; 17 << 20] }]);
    wal.clean(&[10]).unwrap();
    let found = open(&disk, 3).unwrap().1;
    assert_eq!((found.len(), found[0].bytes.len()), (1, 17 << 20));
}

#[test]
fn what_was_durable_survives_a_loss_of_power_at_any_moment() {
    for at in 1.. {
        let disk = SimDisk::new(at);
        let (mut wal, _) = open(&disk, 1).unwrap();
        disk.fail(Some(Fail::Power(at)));
        let (mut sure, mut number) = (0, 0);
        while sure == number && number < 6 {
            number += 1;
            if wal.append(&[block(0, number), block(1, number)]).1.is_ok() {
                sure = number;
            }
        }
        drop(wal);
        disk.power_comes_back();
        let (mut wal, found) = open(&disk, 2).unwrap();
        let of_first = found.iter().filter(|block| block.receiver == 0).count() as u64;
        assert!(of_first >= sure && of_first <= number, "{at}: {of_first} of {sure}");
        append(&mut wal, &[block(2, 1)]);
        let again = open(&disk, 3).unwrap().1;
        assert_eq!(again[..found.len()], found, "{at}");
        assert_eq!(again.len(), found.len() + 1, "{at}");
        if sure == 6 {
            assert!(at > 6);
            break;
        }
    }
}

#[test]
fn an_owner_that_wakes_up_is_cut_off() {
    let disk = SimDisk::new(1);
    let (mut old, _) = open(&disk, 1).unwrap();
    append(&mut old, &[block(0, 0)]);
    let (mut new, _) = open(&disk, 2).unwrap();
    append(&mut new, &[block(0, 1)]);
    append(&mut old, &[Logged { receiver: 0, number: 1, bytes: b"late\n".to_vec() }]);
    append(&mut old, &(2..8).map(large).collect::<Vec<_>>());
    append(&mut new, &[block(0, 2)]);
    let found = open(&disk, 3).unwrap().1;
    assert_eq!(found, [block(0, 0), block(0, 1), block(0, 2)]);
}

#[test]
fn a_full_disk_loses_nothing_and_the_same_blocks_may_be_tried_again() {
    let disk = SimDisk::new(1);
    let (mut wal, _) = open(&disk, 1).unwrap();
    append(&mut wal, &[block(0, 0)]);
    disk.fail(Some(Fail::Change(1, ENOSPC)));
    let (done, result) = wal.append(&[block(0, 1)]);
    assert_eq!(done, 0);
    assert!(matches!(result, Err(StoreError::NoSpace { .. })), "{result:?}");
    append(&mut wal, &[block(0, 1)]);
    assert_eq!(open(&disk, 2).unwrap().1, [block(0, 0), block(0, 1)]);
}

#[test]
fn damage_is_refused_with_its_place() {
    let disk = SimDisk::new(1);
    let (mut wal, _) = open(&disk, 1).unwrap();
    for number in 0..3 {
        append(&mut wal, &[block(0, number)]);
    }
    let name = disk.names().into_iter().find(|name| name.ends_with(".wal")).unwrap();
    let whole = disk.content(&name).unwrap();
    let second = frame::start_at(frame::read(&whole, 0).unwrap().end);
    // Every byte, and another bit of each.
    let length = frame::size(block(0, 1).bytes.len());
    for bit in (0..length).map(|byte| 8 * byte + byte % 8) {
        let mut flipped = whole.clone();
        flipped[second + bit / 8] ^= 1 << (bit % 8);
        disk.put(&name, Some(flipped));
        let problem = problem(&disk, 2);
        assert!(problem.contains(&format!("`{name}`")), "{problem}");
        assert!(problem.contains(&format!("at byte {second}")), "{problem}");
    }
    let mut lost = whole.clone();
    lost[second..second + length].fill(0);
    disk.put(&name, Some(lost));
    assert!(problem(&disk, 2).contains("others stand behind it"));
    disk.put(&name, Some(whole.clone()));
    assert_eq!(open(&disk, 2).unwrap().1.len(), 3);
    let mut torn = whole;
    let third = frame::start_at(frame::read(&torn, second).unwrap().end);
    torn[third..].fill(0);
    disk.put(&name, Some(torn));
    assert_eq!(open(&disk, 2).unwrap().1.len(), 2);
    disk.put("wal/lines/g1-x.wal", Some(Vec::new()));
    assert!(problem(&disk, 2).contains("none of the names"));
}

#[test]
fn a_segment_that_is_missing_in_between_is_refused() {
    let disk = SimDisk::new(1);
    let (mut wal, _) = open(&disk, 1).unwrap();
    append(&mut wal, &(0..6).map(large).collect::<Vec<_>>());
    let names: Vec<_> = disk.names().into_iter().filter(|name| name.ends_with(".wal")).collect();
    assert_eq!(names.len(), 3);
    disk.put(&names[1], None);
    assert!(problem(&disk, 2).contains("the segment before it is missing"));
}
