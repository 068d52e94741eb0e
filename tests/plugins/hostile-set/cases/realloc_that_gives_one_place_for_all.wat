;; mapper
;; Lets the host write everything to one place: what it is told is not what it was.

(func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
