;; updater

(data $state (i32.const 1080) (i32 1320 0))
