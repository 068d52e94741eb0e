;; mapper
;; A mapper has one.

(data $ports (i32.const 1072) (i32 1240 2))
(data $other_port (i32.const 1260) (i32 2024 1 1 1280 1))
