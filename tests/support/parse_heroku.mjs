// Parses commands of the Heroku command line with its own definitions, without running them.
// Its argument is the folder of the npm package. Each line of standard input is a JSON list of words.
import {createRequire} from 'node:module'
import {createInterface} from 'node:readline'
import {pathToFileURL} from 'node:url'

const root = process.argv[2]
const require = createRequire(`${root}/package.json`)
const {Config, Parser} = await import(pathToFileURL(require.resolve('@oclif/core')))
const config = await Config.load({root})

for await (const line of createInterface({input: process.stdin})) {
  const [id, ...words] = JSON.parse(line)
  let problem = ''
  try {
    const found = config.findCommand(id)
    if (!found) throw new Error('there is no such command')
    const command = await found.load()
    await Parser.parse(words, {...command, '--': command['--'], context: {config}, flags: command.flags, args: command.args, strict: command.strict})
  } catch (error) {
    problem = error.message.split('\n')[0]
  }
  console.log(JSON.stringify(problem))
}
