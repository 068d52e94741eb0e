//! The functions of the guest, as arrow-udf has them.

use arrow_udf::function;

#[function("nothing(int64) -> int64")]
fn nothing(n: i64) -> i64 {
    n
}

#[function("add_one(int64) -> int64")]
fn add_one(n: i64) -> i64 {
    n.wrapping_add(1)
}

#[function("gcd(int64, int64) -> int64")]
fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as i64
}

#[function("gcd_small(int32, int32) -> int32")]
fn gcd_small(a: i32, b: i32) -> i32 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[function("compute(int64) -> int64")]
fn compute(n: i64) -> i64 {
    let mut n = n as u64 | 1;
    for _ in 0..200 {
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
    }
    n as i64
}

#[function("upper(string) -> string")]
fn upper(text: &str) -> String {
    text.to_uppercase()
}
