/** The exit code of every command. The help text lists them. */
export const EXIT = {
  success: 0,
  /** The command failed, or it ran and work is left, for example records under an old master key. */
  failed: 1,
  /** The command line is wrong: an unknown command or option, a missing argument or a bad value. */
  usage: 2,
  /** 128 + SIGINT: Ctrl-C ended the command before it was done. */
  interrupted: 130,
} as const;

export const EXIT_CODES_HELP = `Exit codes:
  ${EXIT.success}    success
  ${EXIT.failed}    failed, or work is left (see the output)
  ${EXIT.usage}    wrong usage
  ${EXIT.interrupted}  interrupted with Ctrl-C`;
