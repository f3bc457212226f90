// Prints the score and grade of a page of localhost by Mozilla's HTTP Observatory, as JSON.
// Its arguments: the folder of the npm package, the ports of http and https, the path.
const [folder, httpPort, httpsPort, path] = process.argv.slice(2)
const {retrieve} = await import(`${folder}/src/retriever/retriever.js`)
const {ALL_TESTS} = await import(`${folder}/src/constants.js`)
const {getGradeForScore, getScoreModifier} = await import(`${folder}/src/grader/grader.js`)
const {MINIMUM_SCORE_FOR_EXTRA_CREDIT} = await import(`${folder}/src/grader/charts.js`)

// The same steps as scan(), which does not accept ports.
const requests = await retrieve('localhost', {httpPort: Number(httpPort), httpsPort: Number(httpsPort), path})
const modifiers = ALL_TESTS.map((test) => test(requests).result).filter(Boolean).map(getScoreModifier)
const sum = (numbers) => numbers.reduce((total, number) => total + number, 100)
const plain = sum(modifiers.filter((number) => number < 0))
const {score, grade} = getGradeForScore(plain >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? sum(modifiers) : plain)
console.log(JSON.stringify([score, grade]))
